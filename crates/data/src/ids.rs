//! [`Ids`]: a text as a sequence of character ids.

use std::ops::Range;
use std::sync::Arc;

/// A sequence of character ids, stored in 1, 2 or 4 bytes each: the fewest that hold every id of its vocabulary.
///
/// Cloning and [slicing](Ids::slice) share the storage and cost nothing.
#[derive(Clone)]
pub struct Ids {
    storage: Storage,
    range: Range<usize>,
}

// `Arc<Vec<_>>` rather than `Arc<[_]>`: the conversion to the latter would copy the whole corpus.
#[derive(Clone)]
enum Storage {
    U8(Arc<Vec<u8>>),
    U16(Arc<Vec<u16>>),
    U32(Arc<Vec<u32>>),
}

/// Runs the same expression on whichever slice the ids are stored in.
macro_rules! with_slice {
    ($ids:expr, $range:expr, $slice:ident => $body:expr) => {
        match &$ids.storage {
            Storage::U8(ids) => {
                let $slice = &ids[$range];
                $body
            }
            Storage::U16(ids) => {
                let $slice = &ids[$range];
                $body
            }
            Storage::U32(ids) => {
                let $slice = &ids[$range];
                $body
            }
        }
    };
}

impl Ids {
    /// The number of ids.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether the sequence is empty.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The id at `index`, if there is one.
    pub fn get(&self, index: usize) -> Option<u32> {
        if index >= self.len() {
            return None;
        }
        let at = self.range.start + index;
        Some(match &self.storage {
            Storage::U8(ids) => ids[at].into(),
            Storage::U16(ids) => ids[at].into(),
            Storage::U32(ids) => ids[at],
        })
    }

    /// A view of the ids in `range`, which is cut to the ids that exist.
    pub fn slice(&self, range: Range<usize>) -> Ids {
        let end = self.range.start + range.end.min(self.len());
        let start = (self.range.start.saturating_add(range.start)).min(end);
        Ids { storage: self.storage.clone(), range: start..end }
    }

    /// An iterator over the ids.
    pub fn iter(&self) -> Iter<'_> {
        Iter { ids: self, range: 0..self.len() }
    }

    /// The number of occurrences of each id below `vocab_len`, indexed by id.
    pub fn counts(&self, vocab_len: usize) -> Vec<u64> {
        let mut counts = vec![0; vocab_len];
        with_slice!(self, self.range.clone(), ids => for &id in ids {
            if let Some(count) = counts.get_mut(id as usize) {
                *count += 1;
            }
        });
        counts
    }

    /// Copies `out.len()` ids, from index `start` on, to `out`.
    ///
    /// # Panics
    /// If there are fewer ids.
    pub fn copy_to(&self, start: usize, out: &mut [i32]) {
        let from = self.range.start + start;
        assert!(
            start + out.len() <= self.len(),
            "{} ids from index {start} on, of {}",
            out.len(),
            self.len()
        );
        with_slice!(self, from..from + out.len(), ids => {
            for (out, &id) in out.iter_mut().zip(ids) {
                // Ids are below the number of Unicode scalar values, so they fit.
                *out = id as i32;
            }
        });
    }

    /// Bytes per id in memory: 1, 2 or 4.
    pub fn bytes_per_id(&self) -> usize {
        match self.storage {
            Storage::U8(_) => 1,
            Storage::U16(_) => 2,
            Storage::U32(_) => 4,
        }
    }
}

impl PartialEq for Ids {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl Eq for Ids {}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 32;
        let mut list = f.debug_list();
        list.entries(self.iter().take(SHOWN));
        if self.len() > SHOWN { list.finish_non_exhaustive() } else { list.finish() }
    }
}

impl<'a> IntoIterator for &'a Ids {
    type Item = u32;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// An iterator over [`Ids`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    ids: &'a Ids,
    range: Range<usize>,
}

impl Iterator for Iter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.ids.get(self.range.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Collects ids of a vocabulary of a known size.
pub(crate) enum IdsBuilder {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl IdsBuilder {
    pub(crate) fn new(vocab_len: usize, capacity: usize) -> Self {
        match vocab_len {
            0..=0x100 => Self::U8(Vec::with_capacity(capacity)),
            0x101..=0x1_0000 => Self::U16(Vec::with_capacity(capacity)),
            _ => Self::U32(Vec::with_capacity(capacity)),
        }
    }

    /// `id` must be below the `vocab_len` given to [`IdsBuilder::new`], which determines the storage.
    pub(crate) fn push(&mut self, id: u32) {
        match self {
            Self::U8(ids) => ids.push(id as u8),
            Self::U16(ids) => ids.push(id as u16),
            Self::U32(ids) => ids.push(id),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::U8(ids) => ids.len(),
            Self::U16(ids) => ids.len(),
            Self::U32(ids) => ids.len(),
        }
    }

    pub(crate) fn finish(self) -> Ids {
        let range = 0..self.len();
        let storage = match self {
            Self::U8(ids) => Storage::U8(Arc::new(ids)),
            Self::U16(ids) => Storage::U16(Arc::new(ids)),
            Self::U32(ids) => Storage::U32(Arc::new(ids)),
        };
        Ids { storage, range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(vocab_len: usize, ids: &[u32]) -> Ids {
        let mut builder = IdsBuilder::new(vocab_len, ids.len());
        ids.iter().for_each(|&id| builder.push(id));
        builder.finish()
    }

    #[test]
    fn ids_take_as_few_bytes_as_their_vocabulary_allows() {
        for (vocab_len, bytes) in [(1, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4)] {
            let top = vocab_len as u32 - 1;
            let ids = ids(vocab_len, &[top, 0, top]);
            assert_eq!(ids.bytes_per_id(), bytes, "of {vocab_len}");
            assert_eq!(ids.iter().collect::<Vec<_>>(), [top, 0, top]);
        }
    }

    #[test]
    fn a_slice_of_a_slice_counts_from_its_own_start() {
        let ids = ids(300, &[10, 11, 12, 13, 14, 299]);
        let tail = ids.slice(2..6);
        assert_eq!(tail.slice(1..3).iter().collect::<Vec<_>>(), [13, 14]);
        assert_eq!(tail.get(3), Some(299));
        assert_eq!(tail.get(4), None);
        let mut out = [0; 2];
        tail.copy_to(1, &mut out);
        assert_eq!(out, [13, 14]);
    }

    #[test]
    fn a_slice_is_cut_to_the_ids_that_exist() {
        let ids = ids(9, &[1, 2, 3]);
        assert_eq!(ids.slice(1..9).iter().collect::<Vec<_>>(), [2, 3]);
        assert!(ids.slice(7..9).is_empty());
        assert!(ids.slice(usize::MAX - 1..usize::MAX).is_empty());
    }

    #[test]
    fn counts_are_of_the_view_alone() {
        let ids = ids(4, &[3, 0, 0, 2, 3]);
        assert_eq!(ids.slice(1..5).counts(4), [2, 0, 1, 1]);
    }

    #[test]
    fn views_are_equal_when_their_ids_are() {
        let short = ids(3, &[1, 2]);
        let long = ids(1000, &[0, 1, 2, 1]);
        assert_eq!(short, long.slice(1..3));
        assert_ne!(short, long.slice(1..4));
    }
}
