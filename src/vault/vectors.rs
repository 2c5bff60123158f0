//! What another implementation made from the same keys (Python's `cryptography` and
//! `hmac`) is opened and believed here: the forms are as documented, and what lies in
//! a store today opens under every later release.

use super::fixtures::{OLD, vault};
use super::*;

#[test]
fn a_credential_that_another_implementation_sealed_is_opened() {
    let place = Place { pool: 3, account: 7, platform: "glm", field: "credential", generation: 1 };
    let sealed = SealedCredential {
        wrapped_key: concat!(
            "v1.old.AAECAwQFBgcICQoL.W27_YjaMbRrI8UEkKjmpXy2MwFDzjGRAr8Ps",
            "G1yi36aVGwAlSs6NL-ZzG3i42Kgu"
        )
        .into(),
        body: "v1.dek.DA0ODxAREhMUFRYX.733-EPH13w1j4vgdmSBvUz5KJJCf52f8MH7m45GiftkRd-o".into(),
    };
    let opened = vault(OLD).open_credential(&place, &sealed).unwrap();
    assert_eq!(opened.expose_secret(), br#"{"key":"sk-canary"}"#);
}

#[test]
fn a_row_that_another_implementation_proved_is_believed() {
    let row =
        MacParts::new("gateway_token").number(7).texts(["chat"]).numbers(Some(-1)).texts(None);
    let mac = "old.g_qr0Yd83Fk2x7e5RfBr9jZDRYFYO5YEYCI3KXfKp9s";
    assert_eq!(vault(OLD).check_mac(MacPurpose::Row, &row, mac), Ok(()));
    let mac = "old.y4oa1rUPNjQG95jqEUZKOE_easEGpBJRetFdiISL1fE";
    assert_eq!(vault(OLD).check_mac(MacPurpose::Operator, &row, mac), Ok(()));
}

#[test]
fn a_token_has_the_index_that_another_implementation_gives_it() {
    let token =
        GatewayToken::parse("tb_00000000000000000000000000000000000000000000VyLxK").unwrap();
    assert_eq!(
        vault(OLD).token_index(&token).as_str(),
        "old.qWvdtHFBkJAt4nOj9kMGk4MjyNoIsn0IwfZkSjsTE3Q"
    );
}

#[test]
fn a_canary_that_another_implementation_made_fits() {
    let record = "old.YaMlpX9LPxnDmz2ux5pEAQzW00QL45HKhG66qz0zfGc";
    assert_eq!(vault(OLD).check_canary(record), Ok(()));
}
