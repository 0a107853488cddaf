use super::*;

fn read(bytes: &[u8]) -> Result<Value> {
    let (pickle, used) = Pickle::read(bytes)?;
    assert_eq!(used, bytes.len());
    Ok(pickle.value(pickle.root).clone())
}

#[test]
fn numbers_of_every_width_are_read() {
    for (bytes, number) in [
        (&b"\x80\x02K\xc8."[..], 200),
        (b"\x80\x02M\x01\x02.", 513),
        (b"\x80\x02J\xfe\xff\xff\xff.", -2),
        (b"\x80\x02\x8a\x00.", 0),
        (b"\x80\x02\x8a\x02\x00\xff.", -256),
    ] {
        assert_eq!(read(bytes), Ok(Value::Int(number)));
    }
}

#[test]
fn a_dictionary_that_was_kept_empty_has_what_was_put_in_later() {
    // d = {}; [d, d] with d["k"] = 7 set between.
    let (pickle, _) = Pickle::read(b"\x80\x02](}q\x00X\x01\x00\x00\x00kK\x07sh\x00e.").unwrap();
    let Value::List(items) = pickle.value(pickle.root) else { panic!("a list") };
    for &item in items {
        let found = pickle.get(item, "k").unwrap();
        assert_eq!(pickle.value(found), &Value::Int(7));
    }
}

/// The objects of classes that aren't known here.
fn objects(bytes: &[u8]) -> Vec<Object> {
    let (pickle, _) = Pickle::read(bytes).unwrap();
    let objects = pickle.values.iter().filter_map(|value| match value {
        Value::Object(object) => Some((**object).clone()),
        _ => None,
    });
    objects.collect()
}

#[test]
fn a_call_of_something_that_could_do_harm_is_an_opaque_value() {
    for bytes in [
        &b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R."[..],
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x02ls\x85R.",
        b"(X\x02\x00\x00\x00lsiposix\nsystem\n.",
        b"(cposix\nsystem\nX\x02\x00\x00\x00lso.",
    ] {
        let [object] = &objects(bytes)[..] else { panic!("one object: {bytes:?}") };
        assert_eq!((object.arguments.len(), object.state), (1, None));
    }
    // Named, but not called.
    assert!(objects(b"\x80\x02cposix\nsystem\n0K\x01.").is_empty());
}

#[test]
fn an_object_keeps_its_state_its_elements_and_its_pairs() {
    // Of a class `m.C`: state {"a": 7}, then an element, then a pair.
    let bytes = b"\x80\x02cm\nC\n)\x81}X\x01\x00\x00\x00aK\x07sbK\x01aK\x02K\x03s.";
    let (pickle, _) = Pickle::read(bytes).unwrap();
    let Value::Object(object) = pickle.value(pickle.root) else { panic!("an object") };
    let seven = pickle.get(object.state.unwrap(), "a").unwrap();
    assert_eq!(pickle.value(seven), &Value::Int(7));
    let ints = |ids: &[Id]| ids.iter().map(|&id| pickle.value(id).clone()).collect::<Vec<_>>();
    assert_eq!(ints(&object.items), [Value::Int(1)]);
    let (key, value) = object.pairs[0];
    assert_eq!(ints(&[key, value]), [Value::Int(2), Value::Int(3)]);
}

#[test]
fn a_set_is_no_list() {
    for bytes in [
        &b"\x80\x02c__builtin__\nset\n](K\x01K\x02e\x85R."[..],
        b"\x80\x04\x8f(K\x01K\x02\x90.",
        b"\x80\x04(K\x01K\x02\x91.",
    ] {
        assert_eq!(read(bytes), Ok(Value::Other));
    }
}

#[test]
fn a_pickle_cut_anywhere_ends_too_early() {
    let whole = b"\x80\x04}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94](K\x02M\x03\x04eu.";
    assert!(matches!(read(whole), Ok(Value::Dict(pairs)) if pairs.len() == 2));
    for length in 0..whole.len() {
        assert_eq!(read(&whole[..length]), Err(TRUNCATED), "{length}");
    }
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for bytes in [
        &b"."[..],
        b"a.",
        b"(a.",
        b"u.",
        b"K\x01(0.",
        b"}K\x01s.",
        b"(K\x01d.",
        b"h\x05.",
        b"R.",
        b")Q.",
        b"K\x01K\x02\x93.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\xff.",
        b"X\xff\xff\xff\xff.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
    ] {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn doubling_a_value_again_and_again_costs_no_more_than_the_bytes_that_ask_for_it() {
    let mut bytes = vec![b'K', 1];
    for _ in 0..10_000 {
        bytes.extend(b"2\x86");
    }
    bytes.push(b'.');
    let (pickle, _) = Pickle::read(&bytes).unwrap();
    assert!(pickle.values.len() < 10_500, "{}", pickle.values.len());
}

#[test]
fn a_list_that_is_copied_again_and_again_is_refused() {
    // A list of 1,000 pairs, all the same, made an OrderedDict of 1,000 times.
    let mut bytes = b"\x80\x02X\x01\x00\x00\x00kK\x01\x86q\x000](".to_vec();
    bytes.extend(b"h\x00".repeat(1000));
    bytes.extend(b"eq\x010ccollections\nOrderedDict\nq\x020");
    let once = b"h\x02h\x01\x85R";
    let of = |times: usize| [&bytes[..], &b"("[..], &once.repeat(times), b"l."].concat();
    assert!(read(&of(2)).is_ok(), "{:?}", read(&of(2)));
    assert!(read(&of(1000)).is_ok());
    assert_eq!(read(&of(10_000)).err(), Some(super::machine::TOO_LARGE));
}

#[test]
fn a_storages_key_is_shared_however_often_the_storage_is_referenced() {
    // The same persistent id, with a key of 500 bytes, 1,000 times.
    let mut bytes =
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\xf4\x01\x00\x00".to_vec();
    bytes.extend([b'k'; 500]);
    bytes.extend(b"X\x03\x00\x00\x00cpuK\x01tq\x000");
    bytes.extend(b"h\x00Q".repeat(1000));
    bytes.push(b'.');
    let (pickle, _) = Pickle::read(&bytes).unwrap();
    let keys = pickle.values.iter().filter_map(|value| match value {
        Value::Storage(storage) => Some(&storage.key),
        _ => None,
    });
    let keys: Vec<_> = keys.collect();
    assert_eq!(keys.len(), 1000);
    assert!(keys.iter().all(|key| std::rc::Rc::ptr_eq(key, keys[0])));
    assert_eq!(pickle.elements().len(), 1);
}

#[test]
fn a_parameter_is_its_tensor_and_no_copy_of_it() {
    let mut bytes = b"\x80\x02ctorch._utils\n_rebuild_parameter\nq\x000".to_vec();
    // The tensor, then 100 parameters of it.
    bytes.extend(
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n",
    );
    bytes.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85tRq\x01");
    bytes.extend(b"h\x00h\x01\x85R".repeat(100));
    bytes.push(b'.');
    let (pickle, _) = Pickle::read(&bytes).unwrap();
    assert!(matches!(pickle.value(pickle.root), Value::Tensor(_)));
    let tensors = pickle.values.iter().filter(|value| matches!(value, Value::Tensor(_))).count();
    assert_eq!(tensors, 1);
}

#[test]
fn a_pickle_that_would_take_much_more_memory_than_its_length_is_refused() {
    // Marks, values of one byte, and lists of one byte.
    for byte in [b'(', b'N', b']', b'}', b'2'] {
        let mut bytes = b"\x80\x02N".to_vec();
        bytes.resize(20 << 20, byte);
        bytes.push(b'.');
        assert_eq!(read(&bytes).err(), Some(super::machine::TOO_LARGE), "{byte}");
    }
}
