//! Numbers that look random, from a name or from another number.

/// The 64-bit FNV-1a hash of a name.
pub(crate) fn fnv1a64(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators": the generator's number for
/// this state.
#[inline(always)]
pub(crate) fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
