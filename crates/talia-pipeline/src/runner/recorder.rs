//! The recorder: writes down what a flow would do.

use std::sync::{Mutex, PoisonError};

use crate::plan::Node;

/// The tree so far. The last entry is the innermost open place.
#[derive(Default)]
pub(crate) struct Recorder {
    open: Mutex<Vec<Open>>,
}

enum Open {
    Sequence(Vec<Node>),
    Group(String, Vec<Node>),
    Parallel(Vec<Vec<Node>>),
    Branch(Vec<Node>),
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::new(vec![Open::Sequence(Vec::new())]) }
    }

    pub(crate) fn add(&self, node: Node) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        put(&mut open, node);
    }

    pub(crate) fn open_group(&self, name: &str) {
        self.push(Open::Group(name.to_owned(), Vec::new()));
    }

    pub(crate) fn open_parallel(&self) {
        self.push(Open::Parallel(Vec::new()));
    }

    pub(crate) fn open_branch(&self) {
        self.push(Open::Branch(Vec::new()));
    }

    fn push(&self, place: Open) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }

    /// Closes the innermost place and puts it into the one around it.
    pub(crate) fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.pop() {
            Some(Open::Group(name, nodes)) => put(&mut open, Node::Group { name, nodes }),
            Some(Open::Parallel(branches)) => put(&mut open, Node::Parallel { branches }),
            Some(Open::Branch(nodes)) => {
                if let Some(Open::Parallel(branches)) = open.last_mut() {
                    branches.push(nodes);
                }
            }
            Some(sequence @ Open::Sequence(_)) => open.push(sequence),
            None => {}
        }
    }

    pub(crate) fn into_nodes(self) -> Vec<Node> {
        let open = self.open.into_inner().unwrap_or_else(PoisonError::into_inner);
        match open.into_iter().next() {
            Some(Open::Sequence(nodes)) => nodes,
            _ => Vec::new(),
        }
    }
}

fn put(open: &mut [Open], node: Node) {
    match open.last_mut() {
        Some(Open::Sequence(nodes) | Open::Group(_, nodes) | Open::Branch(nodes)) => {
            nodes.push(node)
        }
        Some(Open::Parallel(branches)) => branches.push(vec![node]),
        None => {}
    }
}
