//! Every failure that a platform documents: what it is, what the caller hears, whether
//! another account is tried, and what becomes of the account.
//!
//! The tables are written from the vendors' pages on error codes, the class beside each.

use serde_json::{Value, json};
use tributary::accounts::Health;

use crate::both;
use crate::rig::{Rig, ask};

/// What a failure means, and what must follow from it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    /// The request's fault; the code that the caller sees where it is a finer one.
    Invalid(&'static str),
    Filtered(&'static str),
    NotFound,
    Expired,
    Banned,
    Spent,
    /// Spent for this model alone.
    SpentModel,
    Limited,
    /// With a hint when to come back, or without.
    Busy(bool),
    Fault,
}

/// A refusal as it lies on the wire, and what it is.
type Row = (u16, &'static str, &'static str, Is);

const WORDS: &str = "so it is";
const BAD: Is = Is::Invalid("invalid_request_error");
const TOO_LONG: Is = Is::Invalid("context_length_exceeded param=messages");
const FILTERED: Is = Is::Filtered("content_filter param=messages");

const GLM: &[Row] = &[
    (401, "401", WORDS, Is::Expired),
    (401, "1000", WORDS, Is::Expired),
    (401, "1001", WORDS, Is::Expired),
    (401, "1002", WORDS, Is::Expired),
    (401, "1003", WORDS, Is::Expired),
    (401, "1004", WORDS, Is::Expired),
    (401, "1005", WORDS, Is::Expired),
    (429, "1110", WORDS, Is::Banned),
    (401, "1111", WORDS, Is::Expired),
    (429, "1112", WORDS, Is::Banned),
    (429, "1121", WORDS, Is::Banned),
    (429, "1113", WORDS, Is::Spent),
    (500, "1100", WORDS, Is::Fault),
    (500, "1120", WORDS, Is::Fault),
    (500, "1200", WORDS, Is::Fault),
    (500, "1230", WORDS, Is::Fault),
    (500, "1234", WORDS, Is::Fault),
    (500, "", WORDS, Is::Fault),
    (400, "1210", WORDS, BAD),
    (400, "1211", WORDS, Is::NotFound),
    (400, "1212", WORDS, BAD),
    (400, "1213", WORDS, BAD),
    (400, "1214", WORDS, BAD),
    (400, "1215", WORDS, BAD),
    (403, "1220", WORDS, Is::NotFound),
    (400, "1221", WORDS, Is::NotFound),
    (400, "1222", WORDS, Is::NotFound),
    (400, "1231", WORDS, BAD),
    (400, "1261", WORDS, TOO_LONG),
    (400, "1300", WORDS, FILTERED),
    (400, "1301", WORDS, FILTERED),
    (429, "1302", WORDS, Is::Limited),
    (429, "1303", WORDS, Is::Limited),
    (429, "1304", WORDS, Is::Spent),
    (429, "1305", WORDS, Is::Busy(true)),
    (429, "1312", WORDS, Is::Busy(true)),
    (429, "1308", "将在 2031-09-22 03:00:00 重置", Is::Spent),
    (429, "1310", WORDS, Is::Spent),
    (429, "1309", WORDS, Is::Spent),
    (429, "1314", WORDS, Is::Spent),
    (429, "1311", WORDS, Is::NotFound),
    (429, "1313", WORDS, Is::Limited),
    (429, "1315", WORDS, Is::Expired),
    (429, "1316", WORDS, Is::Spent),
    (429, "1317", WORDS, Is::Spent),
    (429, "1318", WORDS, Is::Spent),
    (429, "1319", WORDS, Is::Spent),
    (429, "1320", WORDS, Is::Spent),
    (429, "1321", WORDS, Is::Spent),
];

const ERNIE: &[Row] = &[
    (400, "malformed_json", WORDS, BAD),
    (400, "invalid_argument", WORDS, BAD),
    (400, "invalid_messages", WORDS, BAD),
    (400, "invalid_image_url", WORDS, BAD),
    (400, "invalid_plugin_argument", WORDS, BAD),
    (400, "invalid_model", WORDS, BAD),
    (400, "characters_too_long", WORDS, TOO_LONG),
    (400, "tokens_too_long", WORDS, TOO_LONG),
    (401, "invalid_iam_token", WORDS, Is::Expired),
    (401, "invalid_appid", WORDS, Is::Expired),
    (401, "invalid_client", WORDS, Is::Expired),
    (403, "coding_plan_api_key_not_allowed", WORDS, Is::Expired),
    (403, "AccessDenied", WORDS, Is::Expired),
    (401, "no_parameter_permission", WORDS, BAD),
    (400, "image_url_unsafe", WORDS, FILTERED),
    (403, "system_unsafe", WORDS, FILTERED),
    (403, "user_setting_unsafe", WORDS, FILTERED),
    (403, "functions_unsafe", WORDS, FILTERED),
    (403, "account_overdue", WORDS, Is::Spent),
    (401, "invalid_model", WORDS, Is::NotFound),
    (403, "model_offline", WORDS, Is::NotFound),
    (429, "rpm_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "tpm_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "input_tpm_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "output_tpm_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "user_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "preemptible_rate_limit_exceeded", WORDS, Is::Limited),
    (429, "cluster_rate_limit_exceeded", WORDS, Is::Busy(true)),
    (429, "cluster_rpm_rate_limit_exceeded", WORDS, Is::Busy(true)),
    (429, "cluster_tpm_rate_limit_exceeded", WORDS, Is::Busy(true)),
    (429, "Offline_batch_reasoning_refused", WORDS, Is::Busy(true)),
    (405, "method_not_supported", WORDS, Is::Fault),
    (500, "internal_error", WORDS, Is::Fault),
    (500, "dispatch_internal_error", WORDS, Is::Fault),
];

/// By the native code where there is one, and by that of the compatible face.
const QWEN: &[Row] = &[
    (400, "InvalidParameter", WORDS, BAD),
    (400, "invalid_parameter_error", WORDS, BAD),
    (400, "invalid_value", WORDS, BAD),
    (400, "InvalidParameter", "Range of input length should be [1, 9]", TOO_LONG),
    (400, "invalid_parameter_error", "Range of input length should be [1, 9]", TOO_LONG),
    (400, "InvalidParameter", "Model not exist.", Is::NotFound),
    (400, "InvalidParameter.NotSupportEnableThinking", WORDS, BAD),
    (400, "BadRequest.TooLarge", WORDS, BAD),
    (400, "InvalidURL.ConnectionRefused", WORDS, BAD),
    (400, "UnsupportedOperation", WORDS, BAD),
    (400, "DataInspectionFailed", WORDS, FILTERED),
    (400, "data_inspection_failed", WORDS, FILTERED),
    (400, "IPInfringementSuspect", WORDS, FILTERED),
    (400, "CustomRoleBlocked", WORDS, FILTERED),
    (400, "FaqRuleBlocked", WORDS, FILTERED),
    (400, "Arrearage", WORDS, Is::Spent),
    (401, "InvalidApiKey", WORDS, Is::Expired),
    (401, "invalid_api_key", WORDS, Is::Expired),
    (401, "", "invalid access token or token expired", Is::Expired),
    (401, "NOT AUTHORIZED", WORDS, Is::Expired),
    (403, "AllocationQuota.FreeTierOnly", WORDS, Is::SpentModel),
    (403, "AccessDenied.Unpurchased", WORDS, Is::NotFound),
    (403, "AccessDenied", WORDS, Is::NotFound),
    (403, "access_denied", WORDS, Is::NotFound),
    (403, "Model.AccessDenied", WORDS, Is::NotFound),
    (403, "App.AccessDenied", WORDS, Is::NotFound),
    (403, "AccessDenied", "current user api does not support asynchronous calls.", BAD),
    (403, "Endpoint.AccessDenied", WORDS, Is::NotFound),
    (403, "Workspace.AccessDenied", WORDS, Is::Banned),
    (404, "ModelNotFound", WORDS, Is::NotFound),
    (404, "model_not_found", WORDS, Is::NotFound),
    (404, "model_not_supported", WORDS, Is::NotFound),
    (404, "WorkSpaceNotFound", WORDS, Is::NotFound),
    (429, "Throttling.RateQuota", WORDS, Is::Limited),
    (429, "LimitRequests", WORDS, Is::Limited),
    (429, "limit_requests", WORDS, Is::Limited),
    (429, "Throttling", WORDS, Is::Limited),
    (429, "Throttling.BurstRate", WORDS, Is::Limited),
    (429, "limit_burst_rate", WORDS, Is::Limited),
    // Tokens a minute, whatever the code says.
    (429, "Throttling.AllocationQuota", WORDS, Is::Limited),
    (429, "insufficient_quota", WORDS, Is::Limited),
    (429, "insufficient_quota", "Free allocated quota exceeded.", Is::SpentModel),
    (429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", Is::SpentModel),
    (429, "insufficient_quota", "hour allocated quota exceeded.", Is::Spent),
    (429, "insufficient_quota", "week allocated quota exceeded.", Is::Spent),
    (429, "insufficient_quota", "month allocated quota exceeded.", Is::Spent),
    (429, "insufficient_quota", "concurrency allocated quota exceeded.", Is::Limited),
    (429, "insufficient_quota", "usage allocated quota exceeded.", Is::Limited),
    (429, "CommodityNotPurchased", WORDS, Is::Banned),
    (429, "PrepaidBillOverdue", WORDS, Is::Spent),
    (429, "PostpaidBillOverdue", WORDS, Is::Spent),
    (500, "InternalError", WORDS, Is::Fault),
    (500, "InternalError.Algo", WORDS, Is::Fault),
    (500, "internal_error", WORDS, Is::Fault),
    (500, "SystemError", WORDS, Is::Fault),
    (500, "ModelServiceFailed", WORDS, Is::Fault),
    (500, "RequestTimeOut", WORDS, Is::Fault),
    (500, "ModelServingError", WORDS, Is::Busy(true)),
    (503, "ServiceUnavailable", WORDS, Is::Busy(true)),
    (500, "ServiceUnavailable", "<503> due to system capacity limits", Is::Busy(true)),
    (503, "ModelUnavailable", WORDS, Is::Busy(true)),
];

const OPENAI: &[Row] = &[
    (400, "context_length_exceeded", WORDS, TOO_LONG),
    (
        400,
        "subscription_sharing_unsupported_capability",
        WORDS,
        Is::Invalid("subscription_sharing_unsupported_capability"),
    ),
    (400, "unsupported_value", WORDS, Is::Invalid("unsupported_value")),
    (400, "", WORDS, BAD),
    (413, "", WORDS, BAD),
    (422, "", WORDS, BAD),
    (400, "invalid_prompt", WORDS, Is::Filtered("invalid_prompt")),
    (400, "content_policy_violation", WORDS, Is::Filtered("content_policy_violation")),
    (400, "image_content_policy_violation", WORDS, Is::Filtered("image_content_policy_violation")),
    (400, "bio_policy", WORDS, Is::Filtered("bio_policy")),
    (401, "invalid_api_key", WORDS, Is::Expired),
    (401, "invalid_token", WORDS, Is::Expired),
    (401, "", WORDS, Is::Expired),
    (401, "subscription_sharing_invalid_user", WORDS, Is::Expired),
    (403, "unsupported_country_region_territory", WORDS, Is::Fault),
    (403, "subscription_sharing_user_not_eligible", WORDS, Is::Expired),
    (403, "chatpass_v2_scope", WORDS, Is::Expired),
    (401, "account_deactivated", WORDS, Is::Banned),
    (403, "", "Your account was deactivated.", Is::Banned),
    (403, "model_not_found", WORDS, Is::NotFound),
    (404, "model_not_found", WORDS, Is::NotFound),
    (404, "subscription_sharing_route_not_supported", WORDS, Is::NotFound),
    (429, "insufficient_quota", WORDS, Is::Spent),
    (429, "credit_balance_exhausted", WORDS, Is::Spent),
    (429, "organization_spend_limit_exceeded", WORDS, Is::Spent),
    (429, "project_spend_limit_exceeded", WORDS, Is::Spent),
    (429, "organization_usage_limit_exceeded", WORDS, Is::Spent),
    (429, "billing_hard_limit_reached", WORDS, Is::Spent),
    (429, "subscription_sharing_usage_limit_exceeded", WORDS, Is::Spent),
    (429, "rate_limit_exceeded", WORDS, Is::Limited),
    (429, "slow_down", WORDS, Is::Limited),
    (429, "", WORDS, Is::Limited),
    (503, "server_is_overloaded", WORDS, Is::Busy(false)),
    (503, "subscription_sharing_usage_unavailable", WORDS, Is::Busy(false)),
    (503, "subscription_sharing_user_unavailable", WORDS, Is::Busy(false)),
    (500, "server_error", WORDS, Is::Fault),
    (502, "", WORDS, Is::Fault),
    (504, "", WORDS, Is::Fault),
];

/// By code: its status says little.
const SPARK: &[Row] = &[
    (500, "10000", WORDS, Is::Fault),
    (500, "10001", WORDS, Is::Fault),
    (500, "10002", WORDS, Is::Fault),
    (500, "10003", WORDS, BAD),
    (500, "10004", WORDS, BAD),
    (500, "10005", WORDS, BAD),
    (500, "10006", WORDS, Is::Limited),
    (500, "10007", WORDS, Is::Limited),
    (500, "10008", WORDS, Is::Busy(false)),
    (500, "10009", WORDS, Is::Fault),
    (500, "10010", WORDS, Is::Fault),
    (500, "10011", WORDS, Is::Fault),
    (500, "10012", WORDS, Is::Fault),
    (500, "10013", WORDS, FILTERED),
    (500, "10014", WORDS, FILTERED),
    (500, "10015", WORDS, Is::Banned),
    (500, "10016", WORDS, Is::Spent),
    (500, "10017", WORDS, Is::Fault),
    (500, "10019", WORDS, FILTERED),
    (500, "10021", WORDS, FILTERED),
    (500, "10022", WORDS, FILTERED),
    (500, "10110", WORDS, Is::Busy(true)),
    (500, "10163", WORDS, BAD),
    (500, "10222", WORDS, Is::Fault),
    (500, "10907", WORDS, TOO_LONG),
    (403, "11200", "AppIdNoAuthError:(so) tokens.total", Is::SpentModel),
    (403, "11200", "AppIdNoAuthError:(so) domain.max", Is::NotFound),
    (500, "11201", WORDS, Is::SpentModel),
    (500, "11202", WORDS, Is::Limited),
    (500, "11203", WORDS, Is::Limited),
    (500, "10999", WORDS, Is::Fault),
    (401, "", "invalid user", Is::Expired),
];

/// By `type`, and by words where the vendor has no code.
const CLAUDE: &[Row] = &[
    (400, "invalid_request_error", "prompt is too long: 9 tokens > 8", TOO_LONG),
    (400, "invalid_request_error", "Your credit balance is too low", Is::Spent),
    (400, "invalid_request_error", "You have reached your specified API usage limits", Is::Spent),
    (400, "invalid_request_error", "the spend limit is reached", Is::Spent),
    (
        400,
        "invalid_request_error",
        "Output blocked by content filtering policy",
        Is::Filtered("content_filter"),
    ),
    (400, "invalid_request_error", "This organization has been disabled.", Is::Banned),
    (400, "organization_on_hold", WORDS, Is::Banned),
    (400, "invalid_request_error", WORDS, BAD),
    (409, "invalid_request_error", WORDS, BAD),
    (413, "request_too_large", WORDS, BAD),
    (422, "invalid_request_error", WORDS, BAD),
    (401, "authentication_error", WORDS, Is::Expired),
    (402, "billing_error", WORDS, Is::Spent),
    (403, "permission_error", "OAuth token has been revoked", Is::Expired),
    (403, "permission_error", "OAuth authentication is not allowed", Is::Expired),
    (403, "permission_error", "This account is disabled", Is::Banned),
    (403, "permission_error", "This account is banned", Is::Banned),
    (403, "permission_error", WORDS, Is::NotFound),
    (404, "not_found_error", WORDS, Is::NotFound),
    (429, "enforced_spend_limit_reached", WORDS, Is::Spent),
    (429, "contract_spend_limit_reached", WORDS, Is::Spent),
    (429, "linked_organization_spend_limit_reached", WORDS, Is::Spent),
    (429, "ramp_limit_exceeded", WORDS, Is::Limited),
    (429, "rate_limit_error", WORDS, Is::Limited),
    (500, "api_error", WORDS, Is::Fault),
    (504, "timeout_error", WORDS, Is::Fault),
    (529, "overloaded_error", WORDS, Is::Busy(false)),
    (503, "overloaded_error", WORDS, Is::Busy(false)),
];

/// The platform's own envelope.
fn body(platform: &str, status: u16, code: &str, words: &str) -> Value {
    let named = if code.is_empty() { Value::Null } else { json!(code) };
    match platform {
        "glm" => json!({"error": {"code": named, "message": words}}),
        "ernie" if code == "AccessDenied" => {
            json!({"code": code, "message": words, "requestId": "r"})
        }
        "ernie" if code == "invalid_client" => json!({"error": code, "error_description": words}),
        "ernie" => {
            let kind =
                if code.ends_with("unsafe") { "unsafe_request" } else { "invalid_request_error" };
            json!({"error": {"code": code, "message": words, "type": kind}, "id": "as-1"})
        }
        // Names in the native style come in the native envelope.
        "qwen" if code.starts_with(char::is_uppercase) => {
            json!({"code": code, "message": words, "request_id": "r"})
        }
        "spark" => {
            json!({"error": {"message": words, "type": "api_error", "param": null, "code": named}})
        }
        "claude" => {
            let (kind, details) =
                match (status, code.ends_with("_error") || code.ends_with("_large")) {
                    (_, true) => (code, Value::Null),
                    (429, false) => ("rate_limit_error", json!({"error_code": code})),
                    (_, false) => ("invalid_request_error", json!({"error_code": code})),
                };
            json!({"type": "error", "error": {"type": kind, "message": words, "details": details}, "request_id": "req_1"})
        }
        _ => {
            json!({"error": {"message": words, "type": "some_error", "param": null, "code": named}, "request_id": "r"})
        }
    }
}

/// The answer's row, how many accounts were tried, and what becomes of them.
fn expected(is: Is) -> (String, usize, &'static str) {
    let refused = |code: &str| format!("400 invalid_request_error {code}");
    let spent = "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false";
    let failed = "502 server_error upstream_error";
    let unauthorized = "502 server_error account_unauthorized x-should-retry=false";
    match is {
        Is::Invalid(code) | Is::Filtered(code) => (refused(code), 1, "active"),
        // The next platform is tried, and there is none.
        Is::NotFound => {
            ("404 invalid_request_error model_not_found param=model".into(), 1, "active")
        }
        Is::Expired => (unauthorized.into(), 2, "expired"),
        Is::Banned => (unauthorized.into(), 2, "banned"),
        Is::Spent => (spent.into(), 2, "cooling"),
        Is::SpentModel => (spent.into(), 2, "active"),
        Is::Limited => {
            ("429 rate_limit_error rate_limit_exceeded Retry-After".into(), 2, "cooling")
        }
        Is::Busy(true) => (format!("{failed} Retry-After"), 2, "active"),
        Is::Busy(false) | Is::Fault => (failed.into(), 2, "active"),
    }
}

async fn walk(rig: &Rig, platform: &str, rows: &[Row]) {
    let mut wrong = Vec::new();
    for (number, (status, code, words, is)) in rows.iter().enumerate() {
        let body = body(platform, *status, code, words);
        let fault = json!({"kind": "status", "status": status, "body": body, "times": 2});
        rig.fault(platform, fault).await;
        // A name of its own, since some failures shut a model.
        let answer = rig.chat(ask(&format!("{platform}/row-{number}"), "hello")).await;
        let record = rig.record(&answer).await;
        let states = rig.accounts(platform).await;
        let tried: Vec<_> = record.attempts.iter().map(|attempt| attempt.account).collect();
        let of_tried = states.iter().filter(|state| tried.contains(&state.account.id));
        let mut healths: Vec<&str> = of_tried.map(|state| state.health.status()).collect();
        healths.dedup();
        let (row, attempts, health) = expected(*is);
        let param = if row.contains(" param=messages") { " param=messages" } else { "" };
        let plain = row.replacen(param, "", 1);
        let row = if param.is_empty() { row } else { plain + param };
        let got = (answer.row(), tried.len(), healths.join(" "));
        if got != (row.clone(), attempts, health.to_owned()) || !answer.message().contains(words) {
            let wanted = (row, attempts, health);
            wrong.push(format!("{status} {code} `{words}`: {got:?}, not {wanted:?}: {answer:?}"));
        }
        rig.behave(platform).await;
        for state in states {
            rig.store.set_health(state.account.id, Health::Active).await.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{platform}:\n{}", wrong.join("\n"));
}

both! {
    async fn every_failure_of_glms_is_what_its_page_says(rig: Rig) {
        walk(&rig, "glm", GLM).await;
    }
}

both! {
    async fn every_failure_of_ernies_is_what_its_page_says(rig: Rig) {
        walk(&rig, "ernie", ERNIE).await;
    }
}

both! {
    async fn every_failure_of_qwens_is_what_its_page_says(rig: Rig) {
        walk(&rig, "qwen", QWEN).await;
    }
}

both! {
    async fn every_failure_of_openais_is_what_its_page_says(rig: Rig) {
        walk(&rig, "openai", OPENAI).await;
    }
}

both! {
    async fn every_failure_of_sparks_is_what_its_page_says(rig: Rig) {
        walk(&rig, "spark", SPARK).await;
    }
}

both! {
    async fn every_failure_of_claudes_is_what_its_page_says(rig: Rig) {
        walk(&rig, "claude", CLAUDE).await;
    }
}
