//! Where an input is cut: at places that follow from its bytes.

/// The most pieces of an input that is not cut at every byte.
const MOST_PIECES: u64 = 12;

/// Inputs up to this long are cut at every byte too.
const SHORT: usize = 160;

/// The ways to cut an input, each as places in ascending order; the first cuts nowhere.
pub fn ways(input: &[u8]) -> Vec<Vec<usize>> {
    let mut ways = vec![Vec::new(), some(input, 1), some(input, 2)];
    if input.len() <= SHORT {
        ways.push((1..input.len()).collect());
    }
    ways
}

/// The pieces that these cuts make.
pub fn pieces<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut start = 0;
    let ends = cuts.iter().copied().chain([input.len()]);
    ends.map(|end| &input[std::mem::replace(&mut start, end)..end]).collect()
}

fn some(input: &[u8], salt: u64) -> Vec<usize> {
    let mut state = hash(input) ^ salt;
    let count = 1 + next(&mut state) % MOST_PIECES;
    let place = |state: &mut u64| (next(state) % (input.len() as u64 + 1)) as usize;
    let mut cuts: Vec<usize> = (0..count).map(|_| place(&mut state)).collect();
    cuts.sort_unstable();
    cuts
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
