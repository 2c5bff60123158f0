//! GLM's errors: `{"error": {"code": "1302", "message": "…"}}`, the code a string.

use serde_json::{Value, json};

use super::glm::network_words;
use super::{Asked, Refusal};
use crate::simulator::complaint::{Class, Complaint, Rule};

pub(super) fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let say = |status, code: &str, words: &str| Refusal::new(status, error(code, words));
    let too_long = || say(400, "1261", "Prompt 超长");
    let unknown = || say(400, "1211", "模型不存在，请检查模型代码");
    match complaint {
        Complaint::NoKey => say(401, "1001", "Header中未收到Authorization参数，无法进行身份验证。"),
        Complaint::BadKey(_) => say(401, "401", "令牌已过期或验证不正确"),
        Complaint::NotJson => say(400, "1210", "API 调用参数有误，请检查文档。"),
        Complaint::NoRoute => {
            let body = json!({"timestamp": "2026-09-21T14:13:20.000+00:00", "status": 404,
                "error": "Not Found", "path": "/"});
            Refusal::new(404, body)
        }
        Complaint::UnknownModel(_) | Complaint::Offline(_) => unknown(),
        Complaint::TooLong { .. } => too_long(),
        Complaint::Invalid { param, rule } => match rule {
            Rule::Missing => say(400, "1213", &format!("未正常接收到{param}参数。")),
            Rule::NoSight | Rule::Role(_) | Rule::Orphan | Rule::Unanswered(_) => {
                say(400, "1214", "messages 参数非法。请检查文档。")
            }
            _ => {
                let param = if param.starts_with("messages") { "messages" } else { param };
                say(400, "1214", &format!("{param} 参数非法。请检查文档。"))
            }
        },
        Complaint::Class(class) => match class {
            Class::RateLimited => say(429, "1302", "您的账户已达到速率限制，请您控制请求频率"),
            Class::QuotaExhausted => say(429, "1113", "余额不足或无可用资源包,请充值。"),
            Class::AuthExpired => say(401, "1003", "Authentication Token已过期，请重新生成/获取"),
            Class::Banned => say(429, "1121", "账户存违规行为，账号已被锁定"),
            Class::Overloaded => say(429, "1305", "该模型当前访问量过大，请您稍后再试"),
            Class::UpstreamFault => say(500, "1234", &network_words(&asked.id)),
            Class::ContentFiltered => say(
                400,
                "1301",
                "系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语，感谢您的配合",
            ),
            Class::ContextLength => too_long(),
            Class::NotFound => unknown(),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}
