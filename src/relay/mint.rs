//! Gateway tokens are made, and changed, as rows that carry a MAC.

use super::caller::token_mac_parts;
use crate::accounts::{GatewayTokenRow, TokenGrant};
use crate::telemetry::clock;
use crate::vault::{GatewayToken, MacPurpose, OpenError, Vault};

/// A new token with this grant, and its row for the store.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn mint(
    vault: &Vault,
    grant: TokenGrant,
    name: String,
) -> Result<(GatewayToken, GatewayTokenRow), getrandom::Error> {
    let token = GatewayToken::generate()?;
    let index = vault.token_index(&token).to_string();
    let mac = vault.mac(MacPurpose::Row, &token_mac_parts(&index, &grant));
    let row = GatewayTokenRow {
        index,
        grant,
        mac,
        name,
        prefix: token.prefix().to_owned(),
        last_four: token.last_four().to_owned(),
        created_at: clock::now(),
        revoked_at: None,
        first_index: None,
    };
    Ok((token, row))
}

/// A token's row with another grant and name.
///
/// # Errors
/// When the row does not carry our MAC: who can only write the store must not have a grant
/// of his own proved by somebody's change.
pub fn regrant(
    vault: &Vault,
    row: &GatewayTokenRow,
    grant: TokenGrant,
    name: String,
) -> Result<GatewayTokenRow, OpenError> {
    vault.check_mac(MacPurpose::Row, &token_mac_parts(&row.index, &row.grant), &row.mac)?;
    let mac = vault.mac(MacPurpose::Row, &token_mac_parts(&row.index, &grant));
    Ok(GatewayTokenRow { grant, mac, name, ..row.clone() })
}
