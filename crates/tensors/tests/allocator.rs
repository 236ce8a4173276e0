//! Without the test harness, whose threads have heaps of their own before a test begins.

fn main() {
    sconce_tensors::keep_freed_memory();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    std::thread::spawn(large_blocks_come_from_the_heap).join().unwrap();
    println!("test result: ok. 1 passed; 0 failed");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn large_blocks_come_from_the_heap() {
    // SAFETY: `mallinfo2` only reads the allocator's counters.
    let mapped = || unsafe { libc::mallinfo2() }.hblks;
    let before = mapped();
    let block = vec![1u8; 100 << 20];
    assert_eq!(mapped(), before, "a block of 100 MiB was mapped from the system");
    drop(block);
}
