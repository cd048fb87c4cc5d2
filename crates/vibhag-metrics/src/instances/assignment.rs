//! The assignment problem (Kuhn, "The Hungarian method for the assignment problem", 1955), by shortest augmenting
//! paths with potentials (Jonker and Volgenant, 1987): cubic in the smaller side.

/// Gives each row of `weights` (`rows` x `columns`, row-major) at most one column and each column at most one row, as
/// many as the smaller side has, such that the sum of the chosen weights is largest. Returns the column of each row.
pub(crate) fn assign(rows: usize, columns: usize, weights: &[f64]) -> Vec<Option<usize>> {
    if rows <= columns {
        return assign_rows(rows, columns, |row, column| -weights[row * columns + column]);
    }
    let of_column = assign_rows(columns, rows, |column, row| -weights[row * columns + column]);
    let mut of_row = vec![None; rows];
    for (column, row) in of_column.into_iter().enumerate() {
        if let Some(row) = row {
            of_row[row] = Some(column);
        }
    }
    of_row
}

/// The cheapest assignment of all `rows` to distinct columns, `rows <= columns`.
fn assign_rows(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<Option<usize>> {
    let mut row_potential = vec![0.0; rows];
    let mut column_potential = vec![0.0; columns];
    let mut owner: Vec<Option<usize>> = vec![None; columns];
    for new_row in 0..rows {
        // Dijkstra from the new row over reduced costs, until a free column is reached.
        let mut distance = vec![f64::INFINITY; columns];
        let mut reached_from: Vec<Option<usize>> = vec![None; columns];
        let mut done = vec![false; columns];
        let (mut row, mut arrived_by, mut travelled) = (new_row, None, 0.0);
        let free = loop {
            let mut nearest: Option<usize> = None;
            for column in (0..columns).filter(|&column| !done[column]) {
                let through = travelled + cost(row, column) - row_potential[row] - column_potential[column];
                if through < distance[column] {
                    distance[column] = through;
                    reached_from[column] = arrived_by;
                }
                if nearest.is_none_or(|best| distance[column] < distance[best]) {
                    nearest = Some(column);
                }
            }
            // There are at least as many columns as rows, so a free one is reached before they run out.
            let Some(column) = nearest else { break None };
            done[column] = true;
            travelled = distance[column];
            match owner[column] {
                None => break Some(column),
                Some(next) => (row, arrived_by) = (next, Some(column)),
            }
        };
        row_potential[new_row] += travelled;
        for column in (0..columns).filter(|&column| done[column]) {
            let spare = travelled - distance[column];
            column_potential[column] -= spare;
            if let Some(owner) = owner[column] {
                row_potential[owner] += spare;
            }
        }
        let mut column = free;
        while let Some(current) = column {
            let before = reached_from[current];
            owner[current] = before.map_or(Some(new_row), |before| owner[before]);
            column = before;
        }
    }
    let mut of_row = vec![None; rows];
    for (column, owner) in owner.into_iter().enumerate() {
        if let Some(row) = owner {
            of_row[row] = Some(column);
        }
    }
    of_row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The best sum over all assignments, by trying each.
    fn exhaustive(rows: usize, columns: usize, weights: &[f64], row: usize, used: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        // With more rows than columns some row stays alone.
        let alone = if rows > columns { exhaustive(rows, columns, weights, row + 1, used) } else { f64::NEG_INFINITY };
        (0..columns)
            .filter(|column| used & (1 << column) == 0)
            .map(|column| {
                weights[row * columns + column] + exhaustive(rows, columns, weights, row + 1, used | 1 << column)
            })
            .fold(alone, f64::max)
    }

    proptest! {
        #[test]
        fn no_assignment_is_better(
            rows in 1_usize..6, columns in 1_usize..6, weights in prop::collection::vec(0_u8..6, 36),
        ) {
            let weights: Vec<f64> = weights[..rows * columns].iter().map(|&w| f64::from(w)).collect();
            let chosen = assign(rows, columns, &weights);
            let mut taken: Vec<usize> = chosen.iter().flatten().copied().collect();
            prop_assert_eq!(taken.len(), rows.min(columns));
            let sum: f64 = chosen.iter().enumerate().filter_map(|(r, c)| c.map(|c| weights[r * columns + c])).sum();
            prop_assert_eq!(sum, exhaustive(rows, columns, &weights, 0, 0));
            taken.sort_unstable();
            taken.dedup();
            prop_assert_eq!(taken.len(), rows.min(columns));
        }
    }

    #[test]
    fn nothing_is_assigned_to_nothing() {
        assert_eq!(assign(2, 0, &[]), [None, None]);
        assert!(assign(0, 3, &[]).is_empty());
    }
}
