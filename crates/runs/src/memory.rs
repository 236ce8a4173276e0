//! How much memory the process has held, and how much there is.

/// The most memory that this process has held at once, in bytes: the peak of its resident set. None where the system does
/// not tell; Linux does.
pub fn peak_memory() -> Option<u64> {
    bytes("VmHWM:", &std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The memory in bytes that programs can still take before the system must swap or end one: its own estimate. None where
/// the system does not tell; Linux does.
pub fn available_memory() -> Option<u64> {
    bytes("MemAvailable:", &std::fs::read_to_string("/proc/meminfo").ok()?)
}

/// Finds a line such as `VmHWM:  1234 kB`.
fn bytes(name: &str, status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_from_its_line() {
        assert_eq!(bytes("VmHWM:", "VmPeak:\t 99 kB\nVmHWM:\t    1234 kB\nThreads:\t1\n"), Some(1234 << 10));
        assert_eq!(bytes("VmHWM:", "VmPeak:\t 99 kB\n"), None);
        assert_eq!(bytes("VmHWM:", "VmHWM:\t x kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn held_memory_counts() {
        let before = peak_memory().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        assert!(peak_memory().unwrap() >= before.max(block.len() as u64));
        assert!(available_memory().unwrap() > 1 << 20);
    }
}
