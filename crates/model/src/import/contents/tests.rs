use super::*;

fn contents(bytes: &[u8]) -> Result<Contents, &'static str> {
    let (pickle, _) = Pickle::read(bytes)?;
    let mut contents = Contents::new();
    contents.add(&pickle, 0).map(|()| contents)
}

/// The names of all tensors, aliases included.
fn names(contents: &Contents) -> Vec<&str> {
    let tensors = contents.tensors.iter();
    tensors
        .flat_map(|found| [&found.name].into_iter().chain(&found.aliases))
        .map(|name| &**name)
        .collect()
}

/// A dictionary with 1,000 tensors under the same key.
fn with_key(len: usize) -> Vec<u8> {
    let mut bytes = b"\x80\x02}q\x00X".to_vec();
    bytes.extend((len as u32).to_le_bytes());
    bytes.extend(vec![b'k'; len]);
    bytes.extend(b"q\x010ctorch._utils\n_rebuild_tensor_v2\n(");
    bytes.extend(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ");
    bytes.extend(b"K\x00K\x01\x85K\x01\x85tRq\x020(");
    bytes.extend(b"h\x01h\x02".repeat(1000));
    bytes.extend(b"u.");
    bytes
}

#[test]
fn a_long_name_that_is_repeated_often_is_refused() {
    for (len, count) in
        [(500, Ok(1000)), (501, Err("the name of a tensor is longer than 500 bytes"))]
    {
        assert_eq!(contents(&with_key(len)).map(|found| names(&found).len()), count);
    }
}

#[test]
fn a_dictionary_in_many_places_is_visited_once() {
    // {} in {"a": _, "b": _} in {"a": _, "b": _} …: 2^60 paths. And the outermost one in itself.
    let mut bytes = b"}q\x00".to_vec();
    for depth in 1..=60 {
        bytes.extend([b'}', b'q', depth, b'(']);
        for key in [b'a', b'b'] {
            bytes.extend([0x8c, 1, key, b'h', depth - 1]);
        }
        bytes.push(b'u');
    }
    bytes.extend(b"\x8c\x01ch\x3cs.");
    assert!(names(&contents(&bytes).unwrap()).is_empty());
}

/// Pushes a string.
fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Pushes a tensor of one number, in the storage of this name.
fn tensor(key: &str) -> Vec<u8> {
    let class = b"ctorch\nFloatStorage\n".to_vec();
    let id = [b"(".to_vec(), text("storage"), class, text(key), text("cpu")].concat();
    [b"ctorch._utils\n_rebuild_tensor_v2\n(", &id[..], b"K\x01tQK\x00K\x01\x85K\x01\x85tR"].concat()
}

#[test]
fn a_module_has_its_parameters_and_those_of_the_modules_in_it_and_nothing_else() {
    let dict = |pairs: &[(&str, Vec<u8>)]| {
        let pairs = pairs.iter().flat_map(|(key, value)| [text(key), value.clone()]);
        [b"}(".to_vec(), pairs.flatten().collect(), b"u".to_vec()].concat()
    };
    let module = |state: Vec<u8>| [b"cm\nC\n)\x81".to_vec(), state, b"b".to_vec()].concat();
    let inner = module(dict(&[
        ("_parameters", dict(&[("weight", tensor("0"))])),
        ("_flat_weights", [b"]".to_vec(), tensor("0"), b"a".to_vec()].concat()),
    ]));
    let outer = module(dict(&[
        ("_parameters", dict(&[])),
        ("hidden", tensor("1")),
        ("_modules", dict(&[("lstm", inner)])),
    ]));
    let pickle = [&b"\x80\x02"[..], &dict(&[("model", outer)]), b"."].concat();
    let contents = contents(&pickle).unwrap();
    assert_eq!(names(&contents), ["model.lstm.weight"]);
}
