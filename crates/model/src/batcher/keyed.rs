//! Keys share nothing in the model.

#[derive(Debug)]
pub(super) struct Common;

impl Common {
    pub(super) fn give_back(&self, _items: usize, _bytes: u64) {}
}
