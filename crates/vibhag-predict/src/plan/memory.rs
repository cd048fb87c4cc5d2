//! A place for every value, in few slots: values that are not needed at the same time share one.

use super::lower::Program;
use super::record::{INPUT, Node, Value};
use super::step::{Kernel, Place, Source, Step};

/// A program with places.
pub(super) struct Placed {
    pub(super) steps: Vec<Step>,
    /// The length of every slot.
    pub(super) slots: Vec<usize>,
    /// Where the network's output is in the end.
    pub(super) output: Source,
}

/// Gives every value of `program` its place.
pub(super) fn place(mut program: Program) -> Placed {
    let layout = Layout::new(&program);
    let nodes = std::mem::take(&mut program.nodes);
    let source = |value: Value| layout.source(&program, value);
    let step = |node: Node<Kernel>| Step {
        shape: program.shapes[node.x.0],
        x: source(node.x),
        second: node.second.map(source),
        out: layout.place(&program, node.out),
        kernel: node.op,
    };
    let steps = nodes.into_iter().map(step).collect();
    let output = source(program.output);
    Placed { steps, output, slots: layout.slots }
}

/// From the first to the last step that touches a root, both included.
#[derive(Debug, Clone, Copy)]
struct Life {
    first: usize,
    last: usize,
}

/// Slots and who lives in them. Only roots (see [`Program::root`]) have a slot of their own.
struct Layout {
    /// The slot of every value that is a root.
    slot_of: Vec<usize>,
    slots: Vec<usize>,
}

impl Layout {
    /// Roots in the order in which they appear, each in the free slot that wastes least; a new
    /// slot when none is free.
    fn new(program: &Program) -> Self {
        let mut layout = Self { slot_of: vec![0; program.shapes.len()], slots: Vec::new() };
        // The last step that needs what is in a slot.
        let mut busy: Vec<usize> = Vec::new();
        for (root, life) in lives(program) {
            let len = program.len(root);
            let free = (0..busy.len()).filter(|&slot| busy[slot] < life.first);
            let slot = free.min_by_key(|&slot| waste(layout.slots[slot], len)).unwrap_or_else(|| {
                layout.slots.push(0);
                busy.push(0);
                busy.len() - 1
            });
            layout.slots[slot] = layout.slots[slot].max(len);
            busy[slot] = life.last;
            layout.slot_of[root.0] = slot;
        }
        layout
    }

    fn place(&self, program: &Program, value: Value) -> Place {
        let (root, start) = program.root(value);
        Place { slot: self.slot_of[root.0], start, len: program.len(value) }
    }

    fn source(&self, program: &Program, value: Value) -> Source {
        if value == INPUT { Source::Input } else { Source::Slot(self.place(program, value)) }
    }
}

/// What it costs to put `len` elements into a slot of `slot`: first of all no slot grows, then as
/// little as possible stays unused or is added.
fn waste(slot: usize, len: usize) -> (bool, usize) {
    (slot < len, slot.abs_diff(len))
}

/// Every root that a step touches with its life, in the order of their first steps.
fn lives(program: &Program) -> Vec<(Value, Life)> {
    let mut lives: Vec<Option<Life>> = vec![None; program.shapes.len()];
    let mut order = Vec::new();
    for (time, node) in program.nodes.iter().enumerate() {
        let touched = [Some(node.x), node.second, Some(node.out)];
        for value in touched.into_iter().flatten().filter(|&value| value != INPUT) {
            let (root, _) = program.root(value);
            let life = lives[root.0].get_or_insert_with(|| {
                order.push(root);
                Life { first: time, last: time }
            });
            life.last = time;
        }
    }
    let (output, _) = program.root(program.output);
    if let Some(life) = &mut lives[output.0] {
        life.last = usize::MAX;
    }
    order.into_iter().filter_map(|root| lives[root.0].map(|life| (root, life))).collect()
}
