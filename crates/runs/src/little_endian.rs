//! Numbers as bytes, lowest byte first, in pieces small enough for the processor's cache.

use std::io;

const PIECE: usize = 1 << 18;

/// Gives the bytes of all values to `sink`, piece by piece.
pub(crate) fn for_each_piece<T: Copy, const B: usize>(
    values: &[T],
    to_bytes: impl Fn(T) -> [u8; B],
    mut sink: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE.min(values.len() * B)];
    for values in values.chunks(PIECE / B) {
        let bytes = &mut piece[..values.len() * B];
        for (bytes, value) in bytes.chunks_exact_mut(B).zip(values) {
            bytes.copy_from_slice(&to_bytes(*value));
        }
        sink(bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_all_bytes() {
        let values: Vec<u32> = (0..(PIECE / 4 * 2 + 3) as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect();
        let mut bytes = Vec::new();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        for_each_piece(&values, u32::to_le_bytes, sink).unwrap();
        let want: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert!(bytes == want);
    }
}
