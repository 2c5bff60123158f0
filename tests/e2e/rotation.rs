//! A new key in front of the ring: what the old one made still works, and moves.

use tributary::accounts::{Purse, Tokens};
use tributary::relay::token_mac_parts;
use tributary::server::Running;
use tributary::vault::{GatewayToken, MacPurpose};

use crate::both;
use crate::rig::{Grants, Rig, ask};

const MODEL: &str = "gpt-4.1";
const LIMIT: u64 = 1_000_000;

both! {
    async fn a_token_that_an_old_key_found_is_the_primarys_from_then_on(rig: Rig) {
        let grants = Grants { tokens_per_day: Some(Tokens(LIMIT)), ..Grants::default() };
        let (id, token) = rig.token(&rig.user, grants).await;
        let mut used = 0;
        let mut served = async |answer: &crate::rig::Answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            let record = rig.record(answer).await;
            used += record.input.0 + record.output.0;
        };
        served(&rig.chat_as(&token, ask(MODEL, "hello")).await).await;
        let vault = rig.rotated();
        let index = vault.token_index(&GatewayToken::parse(&token).unwrap());
        assert_eq!(rig.store.token(index.as_str()).await.unwrap(), None);

        let rotated = rig.start_with(&vault).await;
        let chat = async |gateway: &Running| {
            rig.chat_at(gateway.addresses.public, &token, ask(MODEL, "hello")).await
        };
        served(&chat(&rotated).await).await;
        let row = rig.store.token(index.as_str()).await.unwrap().unwrap();
        let primary = vault.sealing_kid();
        assert!(row.mac.starts_with(&format!("{primary}.")), "{}", row.mac);
        let parts = token_mac_parts(&row.index, &row.grant);
        vault.check_mac(MacPurpose::Row, &parts, &row.mac).unwrap();
        assert_eq!(rig.store.tokens_of(rig.user.id).await.unwrap().last(), Some(&*row));

        // Found by its new index, its day goes on where it was.
        let again = rig.start_with(&vault).await;
        served(&chat(&again).await).await;
        let index = row.counting_index().into();
        let day = Purse::Budget { token: id, index, limit: Tokens(LIMIT) };
        let left = LIMIT.cast_signed() - used.cast_signed();
        rig.until(async || rig.store.purse(&day).await.unwrap().left == left).await;

        assert!(rig.store.revoke_token(id).await.unwrap());
        assert_eq!(chat(&rig.start_with(&vault).await).await.status, 401);
        let before = rig.start_another(([127, 0, 0, 1], 0).into()).await.unwrap();
        assert_eq!(chat(&before).await.status, 401);
    }
}
