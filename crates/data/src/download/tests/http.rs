//! Downloads from a server on this machine.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::thread::JoinHandle;

use super::*;

/// Names and contents.
type Files = Vec<(String, String)>;

/// Answers one request with `response`, word for word, then hangs up.
fn serve(response: String) -> (String, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hello.txt", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut request = BufReader::new(stream.try_clone()?).lines();
        while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        stream.write_all(response.as_bytes())
    });
    (address, server)
}

/// Downloads from a server that answers so, into a folder where an older text lies already.
/// Returns the outcome and what is then in the folder.
fn download(response: String) -> (Result<Vec<u64>, DownloadError>, Files) {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("hello.txt");
    std::fs::write(&dest, "older").unwrap();
    let (address, server) = serve(response);
    let mut heard = Vec::new();
    // No proxy, whatever the environment says: the server is here.
    let config = Agent::config_builder().proxy(None);
    let result = descriptor(&address).download_with(config, &dest, &mut |done, total| {
        assert_eq!(total, 11);
        heard.push(done);
    });
    server.join().unwrap().unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    (result.map(|()| heard), left.collect())
}

fn untouched() -> Files {
    vec![("hello.txt".to_owned(), "older".to_owned())]
}

#[test]
fn a_download_replaces_the_file_and_reports_its_progress() {
    let (result, left) = download(format!("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{TEXT}"));
    assert_eq!(result.unwrap().last(), Some(&11));
    assert_eq!(left, [("hello.txt".to_owned(), TEXT.to_owned())]);
}

#[test]
fn a_body_that_breaks_off_leaves_what_was_there() {
    let (result, left) = download("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello".to_owned());
    let error = result.unwrap_err();
    assert!(matches!(error, DownloadError::Download { .. }), "{error}");
    assert!(error.source().is_some());
    assert_eq!(left, untouched());
}

#[test]
fn a_body_of_another_length_is_refused() {
    for (body, message) in
        [("hello", "it has 5 bytes, not 11"), ("hello world!", "it has more than 11 bytes")]
    {
        let length = body.len();
        let (result, left) =
            download(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
        let error = result.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(left, untouched());
    }
}

#[test]
fn a_body_with_another_sum_is_refused_with_both_sums() {
    let (result, left) =
        download("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello w0rld".to_owned());
    let error = result.unwrap_err().to_string();
    let found = crate::checksum::sha256(b"hello w0rld");
    assert!(error.contains(&format!("its SHA-256 is `{found}`, not `{SHA256}`")), "{error}");
    assert_eq!(left, untouched());
}

#[test]
fn a_server_that_lacks_the_file_is_named() {
    let (result, left) =
        download("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope".to_owned());
    let error = result.unwrap_err();
    assert!(error.to_string().contains("could not download `hello` from `http://127.0.0.1:"));
    assert!(error.source().unwrap().to_string().contains("404"));
    assert_eq!(left, untouched());
}

#[test]
fn an_address_without_encryption_is_not_downloaded_from() {
    let folder = tempfile::tempdir().unwrap();
    let result =
        descriptor("http://127.0.0.1:9/").download(folder.path().join("x"), &mut |_, _| {});
    assert!(matches!(result, Err(DownloadError::Download { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
