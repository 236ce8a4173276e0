use super::*;
use crate::vector_width::tests::with_lanes;

/// What the methods make of the numbers 1, 2, 3, ...
struct Methods;

impl Kernel for Methods {
    type Output = [Vec<f32>; 16];

    #[inline(always)]
    fn run<L: Lanes>(self) -> [Vec<f32>; 16] {
        let numbers: Vec<f32> = (1..=64).map(|i| i as f32).collect();
        let target = || vec![100.0; 64];
        let (mut part, mut strided, mut ones, mut twos, mut threes) =
            (target(), target(), target(), target(), target());
        let (mut fours, mut fives, mut turns) = (target(), target(), target());
        let mut placed = vec![0.0; MOST_LANES];
        let mut picked = [vec![0.0; MOST_LANES], vec![0.0; MOST_LANES]];
        let mut nines = [(); 3].map(|()| vec![0.0; 9 * MOST_LANES]);
        let mut kernels = vec![100.0; 16 * 20];
        // SAFETY: the instructions are there by the contract of `run`; all places are inside the vectors.
        let sums = unsafe {
            let values = L::load(numbers.as_ptr());
            values.store_part(part.as_mut_ptr(), 1, 3, Write::Replace);
            values.store_part(part.as_mut_ptr().add(8), 0, 4, Write::Add);
            values.store_strided(strided.as_mut_ptr(), 3, 2, 2, Write::Replace);
            values.store_strided(strided.as_mut_ptr().add(20), 2, 0, 4, Write::Add);
            copy::<L>(&numbers, 1, &mut ones[..37]);
            copy::<L>(&numbers[..57], 2, &mut twos[..29]);
            copy::<L>(&numbers, 3, &mut threes[..21]);
            copy::<L>(&numbers[..62], 4, &mut fours[..16]);
            copy::<L>(&numbers, 5, &mut fives[..13]);
            let [a, b, c] = [1, 21, 41].map(|first| L::load(numbers.as_ptr().add(first)));
            L::store_in_turn([a, b], turns.as_mut_ptr(), 1, 1, 5);
            L::store_in_turn([a, b, c], turns.as_mut_ptr().add(8), 1, 2, 10);
            L::store_in_turn([a, b, c], turns.as_mut_ptr().add(20), 2, 0, 4);
            L::store_in_turn([c, b, a, values], turns.as_mut_ptr().add(30), 1, 3, 4 * 4 - 3);
            // 4 lanes that are alike in all widths.
            let first = L::load_part(numbers.as_ptr(), 4).mul_add(L::splat(2.0), L::splat(1.0));
            let mut lanes = [0.0; MOST_LANES];
            first.store_part(lanes.as_mut_ptr(), 0, 4, Write::Replace);
            for first in (0..MOST_LANES).step_by(L::WIDTH) {
                let places: [i32; MOST_LANES] = std::array::from_fn(|lane| (5 * lane as i32) % 16 - 4);
                let values = L::load_places(numbers.as_ptr().add(8), &places[first..]);
                values.store(placed.as_mut_ptr().add(first));
                // In 3 windows, and one for each lane.
                for (picked, apart) in picked.iter_mut().zip([3, 17]) {
                    let numbers: Vec<f32> = (1..=300).map(|i| i as f32).collect();
                    let picks = Picks::new(std::array::from_fn(|lane| (7 * lane as i32 + 1) % 16 * apart));
                    let values = L::load_picks(numbers.as_ptr(), &picks, first);
                    values.store(picked.as_mut_ptr().add(first));
                }
                // Two kernels, one behind the other or not.
                let places: [fn(i32) -> i32; 3] = [
                    |lane| 5 * (lane % 8) + lane / 8 * 9,
                    |lane| 5 * (lane % 8) + lane / 8 * 11,
                    |lane| 6 * (lane / 2) + lane % 2 * 9,
                ];
                for (nines, place) in nines.iter_mut().zip(places) {
                    let kernels = Nines::new(std::array::from_fn(|lane| place(lane as i32)));
                    let vectors = L::load_nines(numbers.as_ptr(), &kernels, first);
                    for (number, values) in vectors.into_iter().enumerate() {
                        values.store(nines.as_mut_ptr().add(number * MOST_LANES + first));
                    }
                }
            }
            let nine = std::array::from_fn(|number| std::array::from_fn(|lane| (10 * lane + number) as f32));
            L::store_nines(&nine, kernels.as_mut_ptr(), 10, 16);
            L::store_nines(&nine, kernels.as_mut_ptr().add(170), 11, 13);
            vec![L::load(lanes.as_ptr()).sum(), lanes[3]]
        };
        let ([halves, apart, pairs], [near, far]) = (nines, picked);
        [
            part, strided, ones, twos, threes, sums, placed, fours, fives, turns, halves, apart, near, far,
            pairs, kernels,
        ]
    }
}

#[test]
fn vectors_of_all_widths_agree() {
    let plain = with_lanes(4, || run(Methods));
    assert_eq!(plain[0][..13], [2., 3., 4., 100., 100., 100., 100., 100., 101., 102., 103., 104., 100.]);
    assert_eq!(plain[1][..4], [3., 100., 100., 4.]);
    assert_eq!(plain[1][19..28], [100., 101., 100., 102., 100., 103., 100., 104., 100.]);
    assert_eq!(plain[2][35..39], [36., 37., 100., 100.]);
    assert_eq!(plain[3][27..30], [55., 57., 100.]);
    assert_eq!(plain[4][19..22], [58., 61., 100.]);
    assert_eq!(plain[5], [24., 9.]);
    assert_eq!(plain[6][..5], [5., 10., 15., 20., 9.]);
    assert_eq!(plain[7][13..17], [53., 57., 61., 100.]);
    assert_eq!(plain[8][11..14], [56., 61., 100.]);
    assert_eq!(plain[9][..6], [22., 3., 23., 4., 24., 100.]);
    assert_eq!(plain[9][8..19], [42., 3., 23., 43., 4., 24., 44., 5., 25., 45., 100.]);
    assert_eq!(plain[9][20..28], [2., 100., 22., 100., 42., 100., 3., 100.]);
    assert_eq!(plain[9][30..44], [1., 43., 23., 3., 2., 44., 24., 4., 3., 45., 25., 5., 4., 100.]);
    assert_eq!(
        plain[10][16..34],
        [2., 7., 12., 17., 22., 27., 32., 37., 11., 16., 21., 26., 31., 36., 41., 46., 3., 8.]
    );
    assert_eq!(plain[11][8..17], [12., 17., 22., 27., 32., 37., 42., 47., 2.]);
    assert_eq!(plain[12][..5], [4., 25., 46., 19., 40.]);
    assert_eq!(plain[13][..5], [18., 137., 256., 103., 222.]);
    assert_eq!(plain[14][16..21], [2., 11., 8., 17., 14.]);
    assert_eq!(plain[15][..12], [0., 1., 2., 3., 4., 5., 6., 7., 8., 100., 10., 11.]);
    assert_eq!(
        plain[15][170 + 12 * 11..][..12],
        [120., 121., 122., 123., 124., 125., 126., 127., 128., 100., 100., 100.]
    );
    for lanes in [8, 16] {
        assert_eq!(with_lanes(lanes, || run(Methods)), plain, "{lanes} lanes");
    }
}
