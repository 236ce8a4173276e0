//! What is inferred.

/// Coloured regions with noise, and energies that follow them.
pub(crate) fn scene(width: usize, height: usize, classes: usize) -> (Vec<u8>, Vec<f32>) {
    let region = |i: usize| ((i % width) * 5 / width + (i / width) * 4 / height) % classes;
    let noise = |i: usize, seed: usize| {
        let mixed = ((i + seed * 0x9E37) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / (1 << 24) as f32
    };
    let pixels = width * height;
    let colour = |i: usize| noise(region(i / 3) * 3 + i % 3, 1) * 200.0 + 20.0 + (noise(i, 2) - 0.5) * 40.0;
    let rgb = (0..pixels * 3).map(|i| colour(i).clamp(0.0, 255.0) as u8).collect();
    let energy = |class: usize, i: usize| {
        let hit = if region(i) == class { 2.0 } else { 0.0 };
        -hit - 2.5 * (noise(class * pixels + i, 3) - 0.5)
    };
    let energies = (0..classes).flat_map(|class| (0..pixels).map(move |i| (class, i)));
    (rgb, energies.map(|(class, i)| energy(class, i)).collect())
}
