//! A settings file of any text is read or refused, and one that is valid comes back from its own TOML.
#![no_main]

use charloom_train::RunConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(config) = toml::from_str::<RunConfig>(text) else { return };
    if config.validate().is_ok() {
        let written = toml::to_string(&config).expect("settings become TOML");
        assert_eq!(toml::from_str(&written), Ok(config), "{written}");
    }
});
