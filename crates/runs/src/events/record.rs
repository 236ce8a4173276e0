//! Records of an event file: length, bytes, and a checksum of each.
//!
//! Source: TensorFlow, `tensorflow/core/lib/io/record_writer.h`.

/// The bytes of one record: length (8 bytes), its checksum (4), the payload, its checksum (4), all lowest byte first.
pub(crate) fn framed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(&length).to_le_bytes());
    record.extend_from_slice(payload);
    record.extend_from_slice(&masked(payload).to_le_bytes());
    record
}

/// CRC-32C, turned so that checksums of data that hold checksums stay useful.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}
