//! Sums become part of a convolution that makes one of their terms.

use vibhag_kernels::Activation;

use super::record::{Node, Op, Tape, Value};
use super::step::Kernel;

/// Where a sum has a term that a convolution without activation makes for it alone, the
/// convolution adds the other term itself and takes over the sum's activation. It moves to the
/// sum's place in the order, where both terms are known.
pub(super) fn fuse(tape: &mut Tape) {
    let mut uses = vec![0_usize; tape.shapes.len()];
    for node in &tape.nodes {
        uses[node.x.0] += 1;
        if let Some(second) = node.second {
            uses[second.0] += 1;
        }
    }
    uses[tape.output.0] += 1;
    let mut fused: Vec<Node<Op>> = Vec::with_capacity(tape.nodes.len());
    for node in std::mem::take(&mut tape.nodes) {
        let node = match sum(&node) {
            Some((terms, act)) => match fused.iter().rposition(|made| makes_a_term(made, terms, &uses)) {
                Some(index) => merged(fused.remove(index), terms, act, node.out),
                None => node,
            },
            None => node,
        };
        fused.push(node);
    }
    tape.nodes = fused;
}

/// The terms of a sum and its activation.
fn sum(node: &Node<Op>) -> Option<([Value; 2], Activation)> {
    match (&node.op, node.second) {
        (Op::Ready(Kernel::Add(act)), Some(second)) => Some(([node.x, second], *act)),
        _ => None,
    }
}

fn makes_a_term(node: &Node<Op>, terms: [Value; 2], uses: &[usize]) -> bool {
    let bare = matches!(&node.op, Op::Conv(conv) if conv.act == Activation::None) && node.second.is_none();
    bare && terms.contains(&node.out) && uses[node.out.0] == 1
}

fn merged(mut node: Node<Op>, [first, second]: [Value; 2], act: Activation, out: Value) -> Node<Op> {
    if let Op::Conv(conv) = &mut node.op {
        conv.act = act;
    }
    let other = if node.out == first { second } else { first };
    Node { second: Some(other), out, ..node }
}
