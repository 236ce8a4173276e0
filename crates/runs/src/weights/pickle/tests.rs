use super::*;

fn read(bytes: &[u8]) -> Result<(Pickle<'_>, usize), Fault> {
    Pickle::read(bytes, 0)
}

fn fault(bytes: &[u8]) -> Fault {
    read(bytes).err().expect("a fault")
}

#[test]
fn numbers_texts_and_sequences_are_values() {
    let bytes =
        b"\x80\x02(K\x07M\x00\x01J\xff\xff\xff\xff\x8a\x03\x00\x00\x01X\x02\x00\x00\x00abU\x01ct.rest";
    let (pickle, end) = read(bytes).unwrap();
    let &[a, b, c, d, e, f] = pickle.sequence(pickle.root).unwrap() else { panic!() };
    assert_eq!(
        (pickle.size(a), pickle.size(b), pickle.size(c), pickle.size(d)),
        (Some(7), Some(256), None, Some(65536))
    );
    assert_eq!((pickle.text(e), pickle.text(f)), (Some("ab"), Some("c")));
    assert_eq!(&bytes[end..], b"rest");
}

#[test]
fn a_dictionary_in_its_memo_is_filled_later() {
    // d = {}; (d, d) with d["k"] = 5 set afterwards.
    let (pickle, _) = read(b"\x80\x02}q\x00X\x01\x00\x00\x00kK\x05sh\x00\x86.").unwrap();
    for &id in pickle.sequence(pickle.root).unwrap() {
        let items = pickle.items(id).unwrap();
        assert_eq!((pickle.text(items[0].0), pickle.size(items[0].1)), (Some("k"), Some(5)));
    }
}

#[test]
fn calls_are_records() {
    let (pickle, _) = read(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").unwrap();
    let call = pickle.call(pickle.root).unwrap();
    assert_eq!(pickle.global(call.of), Some(("os", "system")));
    assert_eq!(pickle.text(pickle.sequence(call.arguments).unwrap()[0]), Some("ls"));
}

/// Python 2 gives the items as an argument, Python 3 puts them in.
#[test]
fn ordered_dictionaries_of_both_pythons_have_items() {
    for bytes in [
        &b"\x80\x02ccollections\nOrderedDict\n]](U\x01kK\x05ea\x85R."[..],
        b"\x80\x02ccollections\nOrderedDict\n)RU\x01kK\x05s}b.",
    ] {
        let (pickle, _) = read(bytes).unwrap();
        let items = pickle.items(pickle.root).unwrap();
        assert_eq!((items.len(), pickle.text(items[0].0), pickle.size(items[0].1)), (1, Some("k"), Some(5)));
    }
}

#[test]
fn faults_tell_the_byte() {
    for (bytes, at, what) in [
        (&b""[..], 0, "the file ends before"),
        (b"\x80\x02X\xff\xff\xff\xffabc", 7, "4294967295 bytes should follow"),
        (b"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc", 11, "bytes should follow"),
        (b"\x80\x02t", 3, "a mark is missing"),
        (b"\x80\x02R", 3, "a value is missing"),
        (b"\x80\x02(0.", 4, "a value is missing"),
        (b"\x80\x02h\x05.", 4, "value 5 is used before it is made"),
        (b"\x80\x02cos\nsystem", 6, "a line does not end"),
        (b"\x80\x02(K\x01d.", 6, "a key without a value"),
        (b"\x80\x02K\x01K\x01K\x01s.", 9, "no dictionary"),
        (b"\x80\x02\xfe", 3, "unknown operation 0xfe"),
    ] {
        let fault = fault(bytes);
        assert!(fault.at == at && fault.what.contains(what), "{bytes:?}: {fault:?}");
    }
}

/// Each level holds the one before twice: 2^200 leaves for who follows all of them.
#[test]
fn repetition_costs_nothing() {
    let bytes = [&b"\x80\x02]"[..], &b"2\x86".repeat(200), b"."].concat();
    let (pickle, _) = read(&bytes).unwrap();
    assert_eq!(pickle.len(), 201);
    let _ = read(&[&b"\x80\x02"[..], &b"]".repeat(100_000), &b"a".repeat(99_999), b"."].concat()).unwrap();
}
