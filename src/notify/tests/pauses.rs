//! What is told again and what is not, and when.

use super::*;

fn to_slack_and_webhook(folder: &Path, slack: &str, webhook: &str) -> Receivers {
    let slack = Slack {
        channel: "#releases".into(),
        token_file: file(folder, "xoxb-1"),
        api: slack.parse().expect("an address"),
    };
    Receivers { slack: Some(slack), ..to_webhook(webhook) }
}

#[tokio::test]
async fn a_receiver_that_was_told_is_not_told_again_because_another_could_not_be() {
    let (inbox, address) = listen_with(Inbox { dislikes: Some("chat"), ..Inbox::default() }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let receivers = to_slack_and_webhook(folder.path(), &address, &address);
    let mut first = notifier(receivers.clone(), folder.path()).await;
    for _ in 0..3 {
        assert!(first.accept(&summary("Shifting", State::Ready, "a")).await);
    }
    assert_eq!(inbox.take().len(), 1);
    let mut second = notifier(receivers, folder.path()).await;
    assert!(second.accept(&summary("Shifting", State::Ready, "a")).await);
    assert!(inbox.take().is_empty(), "a new start changes nothing");
    assert!(second.accept(&summary("Stable", State::Ready, "b")).await);
    let got = inbox.take();
    assert_eq!((got.len(), &got[0].1["finished"]), (1, &json!(true)));
}

/// Slack's limit is used up; an address answers.
#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it_and_the_others_do_not_wait() {
    let (slack, slack_address) = listen().await;
    let (webhook, webhook_address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let receivers = to_slack_and_webhook(folder.path(), &slack_address, &webhook_address);
    let mut notifier = notifier(receivers, folder.path()).await;
    let two_services = |phase: &str| {
        let mut summary = summary(phase, State::Ready, "a");
        let golf = ServiceReport { service: "golf".into(), ..summary.services[0].clone() };
        summary.services.push(golf);
        summary
    };
    let limited = (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "900")], "ratelimited");
    *slack.answer.lock().expect("nobody panicked") = Some(limited.into_response());
    assert!(notifier.accept(&two_services("CanaryTest")).await);
    assert_eq!(slack.take().len(), 1, "the limit holds for the other service too");
    assert_eq!(webhook.take().len(), 2);
    assert!(notifier.accept_after(899, &two_services("Shifting")).await);
    assert_eq!((slack.take().len(), webhook.take().len()), (0, 2));
    assert!(!notifier.accept_after(1, &two_services("Shifting")).await);
    assert_eq!((slack.take().len(), webhook.take().len()), (2, 0));
}

#[tokio::test]
async fn gitlab_is_not_told_twice_that_a_commit_runs() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let token = file(folder.path(), "s3cret");
    let status = |repository: &str| {
        CommitStatus::new(Forge::Gitlab, repository, None, token.clone(), "default", None)
    };
    let status = status(&(address + "team/rollouts")).expect("a forge");
    let receivers = Receivers { commit_status: Some(status), ..Receivers::default() };
    let mut first = notifier(receivers.clone(), folder.path()).await;
    let mut one = summary("Shifting", State::Progressing, "a");
    assert!(!first.accept(&one).await);
    let golf = ServiceReport { service: "golf".into(), ..one.services[0].clone() };
    one.services.push(golf);
    assert!(!first.accept(&one).await, "another description, the same state");
    let mut second = notifier(receivers, folder.path()).await;
    let refusal =
        r#"{"message": "Cannot transition status via :run from :running (Reason(s): ...)"}"#;
    let answer = (StatusCode::BAD_REQUEST, [("content-type", "application/json")], refusal);
    *inbox.answer.lock().expect("nobody panicked") = Some(answer.into_response());
    assert!(!second.accept(&one).await, "it was told before a new start");
    assert!(!second.accept(&summary("Stable", State::Ready, "a")).await);
    let got = inbox.take();
    let states: Vec<_> = got.iter().map(|(path, body)| (path.as_str(), &body["state"])).collect();
    let path = "api/v4/projects/team/rollouts/statuses/a";
    let running = &json!("running");
    assert_eq!(states, [(path, running), ("refused", running), (path, &json!("success"))]);
}

#[tokio::test]
async fn github_s_limit_is_waited_for() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let token = file(folder.path(), "s3cret");
    let status =
        CommitStatus::new(Forge::Github, "https://h/a/b", Some(&address), token, "default", None);
    let receivers = Receivers { commit_status: status.ok(), ..Receivers::default() };
    let mut notifier = notifier(receivers, folder.path()).await;
    let limited = (StatusCode::FORBIDDEN, [("retry-after", "7200")], "secondary rate limit");
    *inbox.answer.lock().expect("nobody panicked") = Some(limited.into_response());
    let now = summary("Stable", State::Ready, "a");
    assert!(notifier.accept(&now).await);
    assert!(notifier.accept_after(7199, &now).await);
    assert_eq!(inbox.take().len(), 1);
    assert!(!notifier.accept_after(1, &now).await);
    assert_eq!(inbox.take().len(), 1);
}
