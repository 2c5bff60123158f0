//! `POST /operator/directory`: commands that run beside the gateway.
//!
//! A command proves that it holds the key ring by a MAC over its errand: reaching the
//! listener grants nothing. An errand is good for seconds, and once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;

use super::answer::{JSON, whole};
use super::{ApiError, App, Request, Response, body};
use crate::store::{Directory, Errand, PROOF_LIFE_MS, errand_proof};
use crate::telemetry::clock;
use crate::vault::MacPurpose;

/// The longest errand, in bytes: it is read before anything is proved. Kept bodies that are
/// sealed anew are the longest.
const LONGEST_ERRAND: usize = 8 << 20;

/// Nonces of errands that are still fresh.
#[derive(Default)]
pub struct Errands(Mutex<HashMap<String, i64>>);

impl Errands {
    /// Whether a nonce is new; it is not from then on.
    fn is_first(&self, nonce: &str) -> bool {
        let now_ms = clock::now_ms();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, until_ms| *until_ms > now_ms);
        seen.insert(nonce.to_owned(), now_ms + 2 * PROOF_LIFE_MS).is_none()
    }
}

/// Carries out a verb of the directory.
pub async fn run_errand(app: &App, request: &mut Request) -> Result<Response, ApiError> {
    let bytes = body::read_up_to(LONGEST_ERRAND, app, request.body_mut()).await?;
    let proof = request.headers().get("x-tributary-proof").and_then(|proof| proof.to_str().ok());
    let parts = &app.gateway.parts;
    let text = std::str::from_utf8(&bytes).map_err(|_| ApiError::BadErrand)?;
    let proved = proof.is_some_and(|proof| {
        parts.vault.check_mac(MacPurpose::Operator, &errand_proof(text), proof).is_ok()
    });
    if !proved {
        return Err(ApiError::UnprovedErrand);
    }
    let errand: Errand = serde_json::from_str(text).map_err(|_| ApiError::BadErrand)?;
    if !errand.is_fresh(clock::now()) || !app.errands.is_first(&errand.nonce) {
        return Err(ApiError::UnprovedErrand);
    }
    let directory: &dyn Directory = &*parts.store;
    let reply = errand.verb.carry_out(directory, &parts.zones.resets()).await;
    let reply = serde_json::to_vec(&reply).map_err(|_| ApiError::BadErrand)?;
    Ok(whole(StatusCode::OK, JSON, reply))
}
