use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn sizes_are_two_positive_numbers() {
    assert_eq!("512x384".parse::<Size>().unwrap().0, (512, 384));
    assert!("512".parse::<Size>().is_err());
    assert!("0x5".parse::<Size>().is_err());
}

#[test]
fn colours_are_six_hexadecimal_digits() {
    assert_eq!("#8a2be2".parse(), Ok(Colour([0x8a, 0x2b, 0xe2])));
    assert_eq!("FFA500".parse(), Ok(Colour([255, 165, 0])));
    for wrong in ["", "#fff", "#8a2be2ff", "+a2be2", "violet", "#8a2bg2"] {
        assert!(wrong.parse::<Colour>().is_err(), "{wrong}");
    }
}
