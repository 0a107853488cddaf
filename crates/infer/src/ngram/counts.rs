//! Counts of the n-grams of a text, one length after the other.

use charloom_data::Ids;

/// The n-grams of one length n that a text has, grouped by their context, which is all of them but the last character.
///
/// The contexts are in the order of their reversed characters. So the contexts that are longer by one character, and end
/// in a given one (its *children*), are neighbours in the counts of the next length.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// The first character of each context; of the empty context, 0.
    first: Vec<u32>,
    /// Index of the first child of each context in the next length, and of the end of the last one's.
    children: Vec<u32>,
    /// Index of the first n-gram of each context, and the end of the last one's.
    starts: Vec<u32>,
    /// The last character of each n-gram, in ascending order within a context.
    last: Vec<u32>,
    /// How often each n-gram occurs.
    pub occurrences: Vec<u32>,
    /// The number of distinct characters that precede each n-gram. The beginning of the text counts as one more, so that
    /// no n-gram has none.
    pub continuations: Vec<u32>,
}

impl Counts {
    /// The number of contexts.
    pub fn contexts(&self) -> usize {
        self.first.len()
    }

    /// The indices of a context's n-grams. There is at least one.
    pub fn ngrams(&self, context: usize) -> std::ops::Range<usize> {
        self.starts[context] as usize..self.starts[context + 1] as usize
    }

    /// The index of the n-gram that ends in `id`, if the text has it.
    pub fn ngram(&self, context: usize, id: u32) -> Option<usize> {
        let range = self.ngrams(context);
        self.last[range.clone()].binary_search(&id).ok().map(|index| range.start + index)
    }

    /// The last character of an n-gram.
    pub fn last(&self, ngram: usize) -> u32 {
        self.last[ngram]
    }

    /// The context of the next length that is this one with `id` in front, if the text has it.
    pub fn child(&self, context: usize, longer: &Counts, id: u32) -> Option<usize> {
        let range = self.children[context] as usize..self.children[context + 1] as usize;
        longer.first[range.clone()].binary_search(&id).ok().map(|index| range.start + index)
    }
}

/// Counts the n-grams of a text: an endless iterator over n = 1, 2, 3, …
///
/// It keeps the characters sorted by what precedes them, and sorts them by one more character at each length. So it needs
/// 8 bytes per character besides the counts.
pub(super) struct Counter {
    /// The text.
    ids: Vec<u32>,
    /// Length of the contexts, n − 1.
    length: usize,
    /// Places in the text, those after the same context next to each other.
    places: Vec<u32>,
    /// Index in `places` where each context begins, and the end of the last one's.
    starts: Vec<u32>,
    /// The first character of each context.
    first: Vec<u32>,
}

impl Counter {
    /// `ids` must be fewer than 2³².
    pub fn new(ids: &Ids) -> Self {
        let ids: Vec<u32> = ids.iter().collect();
        let end = ids.len() as u32;
        Self { ids, length: 0, places: (0..end).collect(), starts: vec![0, end], first: vec![0] }
    }

    /// The character before the context of a place, plus 1; 0 stands for the beginning of the text.
    fn left(&self, place: u32) -> u64 {
        match (place as usize).checked_sub(self.length + 1) {
            Some(left) => u64::from(self.ids[left]) + 1,
            None => 0,
        }
    }

    fn contexts(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|ends| &self.places[ends[0] as usize..ends[1] as usize])
    }

    /// Sorts the places after contexts of the next length. Returns where the children of each present context begin.
    fn lengthen(&mut self) -> Vec<u32> {
        let mut children = Vec::with_capacity(self.starts.len());
        let (mut starts, mut first) = (Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(self.places.len());
        let mut keys: Vec<u64> = Vec::new();
        for context in self.contexts() {
            children.push(starts.len() as u32);
            keys.clear();
            keys.extend(context.iter().map(|&place| self.left(place) << 32 | u64::from(place)));
            keys.sort_unstable();
            let mut previous = 0;
            for key in &keys {
                let (left, place) = (key >> 32, *key as u32);
                // Nothing is before the beginning of the text.
                if left == 0 {
                    continue;
                }
                if left != previous {
                    starts.push(places.len() as u32);
                    first.push((left - 1) as u32);
                    previous = left;
                }
                places.push(place);
            }
        }
        children.push(starts.len() as u32);
        starts.push(places.len() as u32);
        (self.places, self.starts, self.first) = (places, starts, first);
        self.length += 1;
        children
    }
}

impl Iterator for Counter {
    type Item = Counts;

    fn next(&mut self) -> Option<Counts> {
        let mut starts = Vec::with_capacity(self.starts.len());
        let (mut last, mut occurrences, mut continuations) = (Vec::new(), Vec::new(), Vec::new());
        let mut keys: Vec<u64> = Vec::new();
        for context in self.contexts() {
            starts.push(last.len() as u32);
            keys.clear();
            let key = |&place: &u32| u64::from(self.ids[place as usize]) << 32 | self.left(place);
            keys.extend(context.iter().map(key));
            keys.sort_unstable();
            for same in keys.chunk_by(|one, other| one >> 32 == other >> 32) {
                last.push((same[0] >> 32) as u32);
                occurrences.push(same.len() as u32);
                let distinct = same.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1;
                continuations.push(distinct as u32);
            }
        }
        starts.push(last.len() as u32);
        let first = self.first.clone();
        let children = self.lengthen();
        Some(Counts { first, children, starts, last, occurrences, continuations })
    }
}
