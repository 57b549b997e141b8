//! The status page in a real browser: what it shows, that it keeps up with the daemon, and whether
//! everybody can use it. No cluster is needed: the tests write on the status store themselves.
//!
//! A program of its own kind, because it enters a network without anybody else before there are
//! threads: what the page would load from elsewhere, it does not get. A word after `cargo test --test
//! page` chooses the tests whose names contain it. With `COALMINE_SCREENSHOTS=1` the pictures in
//! `docs/pictures` are taken anew.

mod browser;
mod scene;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use coalmine_core::reason::Code;
use fantoccini::{Client, Locator};
use harness::wait::{Seen, until};
use harness::{Progress, build, namespace};
use serde_json::{Value, json};

use browser::{Driver, Look};
use scene::Scene;

/// Far more than anything here takes.
const AMPLE: Duration = Duration::from_secs(180);
/// The key Tab, in WebDriver's alphabet.
const TAB: &str = "\u{e004}";
/// The key Enter.
const ENTER: &str = "\u{e007}";

fn main() -> ExitCode {
    let fetch = |progress: &Progress| {
        build::browser(progress)?;
        build::axe(progress)?;
        Ok(())
    };
    match namespace::enter_without_bed(fetch).and_then(|()| run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let driver = Driver::start().await?;
        let (mut all_passed, mut ran) = (true, 0);
        macro_rules! test {
            ($test:ident) => {
                if chosen(stringify!($test)) {
                    let outcome = $test(&driver).await;
                    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
                    println!("test {} ... {word}", stringify!($test));
                    if let Err(error) = outcome {
                        println!("{error:#}");
                        all_passed = false;
                    }
                    ran += 1;
                }
            };
        }
        test!(both_pages_show_where_rollouts_stand_in_every_look_and_to_everybody);
        test!(what_changes_is_shown_without_a_reload_and_without_losing_the_place);
        test!(a_service_is_found_and_opened_by_keyboard_alone);
        test!(a_token_opens_the_page_and_keeps_it_live);
        driver.stop().await;
        ensure!(ran > 0, "no test was run");
        Ok(all_passed)
    })
}

fn chosen(test: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| test.contains(&word))
}

/// What stands on the pages is visible, fits, has its colours, and axe-core has nothing to say against
/// it.
async fn both_pages_show_where_rollouts_stand_in_every_look_and_to_everybody(
    driver: &Driver,
) -> Result<()> {
    let scene = Scene::serve(None).await?;
    for look in Look::ALL {
        let client = driver.open(look).await?;
        client.goto(&scene.address("/")).await?;
        see(&client, "main", "Needs attention").await?;
        for words in ["hotel", "Invalid", "Stalled", "golf", "v2 10 → 50 %", "Healthy"] {
            see(&client, "main", words).await?;
        }
        let urgent = text(&client, "section:first-of-type h2").await?;
        ensure!(urgent.starts_with("Needs attention"), "first stands {urgent:?}");
        check(&client, look).await.with_context(|| format!("/ in {look:?}"))?;
        browser::picture(&client, look, "status").await?;

        client.goto(&scene.address("/services/echo")).await?;
        for words in
            ["Shifting", "Grace Hopper", "half for v2", "Conditions", "kubectl", "prefix /echo"]
        {
            see(&client, "main", words).await?;
        }
        let bands = client.find_all(Locator::Css(".chart .band")).await?;
        ensure!(bands.len() >= 4, "the chart has {} bands", bands.len());
        check(&client, look).await.with_context(|| format!("/services/echo in {look:?}"))?;
        browser::picture(&client, look, "status-service").await?;
        client.close().await?;
    }
    Ok(())
}

/// The stylesheet is applied, nothing is wider than the screen, and axe-core finds no violation.
async fn check(client: &Client, look: Look) -> Result<()> {
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let ground = client.execute(ground, Vec::new()).await?;
    ensure!(ground == look.ground(), "the ground is {ground}, not {}", look.ground());
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let wide = client.execute(wide, Vec::new()).await?;
    ensure!(wide == json!(0), "the page is {wide} px wider than the screen");
    let complaints = browser::axe(client).await?;
    ensure!(complaints.is_empty(), "axe-core complains:\n{}", complaints.join("\n"));
    Ok(())
}

async fn what_changes_is_shown_without_a_reload_and_without_losing_the_place(
    driver: &Driver,
) -> Result<()> {
    let scene = Scene::serve(None).await?;
    let client = driver.open(Look::Light).await?;
    client.goto(&scene.address("/")).await?;
    client
        .execute(
            "window.same = true; document.getElementById('service-foxtrot').focus()",
            Vec::new(),
        )
        .await?;
    scene.status_store.service("foxtrot", |report| {
        report.stalled(Code::WaitingForPods, "Deployment foxtrot/foxtrot-v1: no ready pod")
    });
    see(&client, "#person ~ ul", "no ready pod").await?;
    let state = "return [window.same, document.activeElement.id, document.title]";
    let state = client.execute(state, Vec::new()).await?;
    ensure!(state[0] == json!(true), "it was loaded anew");
    ensure!(state[1] == "service-foxtrot", "the focus is at {}", state[1]);
    ensure!(state[2] == "(4) coalmine", "the title is {}", state[2]);

    client.goto(&scene.address("/services/echo")).await?;
    see(&client, "main", "not applied yet").await?;
    // The page's own stream tells at the same time as this one.
    let watch = "window.same = true;
        getSelection().selectAllChildren(document.querySelector('h1'));
        window.told = 0;
        new EventSource('../api/events').addEventListener('change', () => window.told++)";
    client.execute(watch, Vec::new()).await?;
    told(&client, 1).await?;
    scene.status_store.service("echo", |report| report.ready(scene::HALF));
    told(&client, 2).await?;
    let still = text(&client, "main").await?;
    ensure!(still.contains("not applied yet"), "a selection was taken away");
    client.execute("getSelection().removeAllRanges()", Vec::new()).await?;
    until("the page shows that half is applied", AMPLE, || async {
        let shown = text(&client, "main").await.unwrap_or_default();
        Seen::when(!shown.contains("not applied yet"), shown)
    })
    .await?;
    ensure!(
        client.execute("return window.same", Vec::new()).await? == json!(true),
        "it was loaded anew"
    );
    client.close().await?;
    Ok(())
}

async fn a_service_is_found_and_opened_by_keyboard_alone(driver: &Driver) -> Result<()> {
    let scene = Scene::serve(None).await?;
    let client = driver.open(Look::Light).await?;
    client.goto(&scene.address("/")).await?;
    press(&client, TAB).await?;
    ensure!(focus(&client).await? == json!("Skip to the content"), "the skip link comes first");
    for _ in 0..2 {
        press(&client, TAB).await?;
    }
    press(&client, "golf").await?;
    press(&client, ENTER).await?;
    until("one service is left", AMPLE, || async {
        let links = client.find_all(Locator::Css("main .name")).await.unwrap_or_default();
        Seen::when(links.len() == 1, links.len())
    })
    .await?;
    let mut pressed = 0;
    while focus(&client).await? != json!("golf") {
        press(&client, TAB).await?;
        pressed += 1;
        ensure!(pressed < 10, "the service is not reached by keyboard");
    }
    let ring = "return getComputedStyle(document.activeElement, '::after').outlineStyle";
    ensure!(client.execute(ring, Vec::new()).await? == json!("solid"), "the focus cannot be seen");
    press(&client, ENTER).await?;
    see(&client, "h1", "golf").await?;
    see(&client, "main", "Gloo says Rejected").await?;
    client.close().await?;
    Ok(())
}

async fn a_token_opens_the_page_and_keeps_it_live(driver: &Driver) -> Result<()> {
    let scene = Scene::serve(Some("correct-horse-battery")).await?;
    let client = driver.open(Look::Light).await?;
    client.goto(&scene.address("/")).await?;
    let page = client.source().await?;
    ensure!(!page.contains("golf"), "it is shown without the token");
    client.goto(&scene.address("/").replace("://", "://ada:correct-horse-battery@")).await?;
    see(&client, "main", "golf").await?;
    scene.status_store.service("foxtrot", |report| {
        report.stalled(Code::WaitingForPods, "no ready pod of foxtrot")
    });
    see(&client, "main", "no ready pod of foxtrot").await?;
    client.close().await?;
    Ok(())
}

/// Waits until the status store was heard of so often.
async fn told(client: &Client, times: u64) -> Result<()> {
    until("something is told", AMPLE, || async {
        let told = client.execute("return window.told", Vec::new()).await;
        Seen::when(
            told.as_ref().is_ok_and(|told| told.as_u64() >= Some(times)),
            format!("{told:?}"),
        )
    })
    .await
}

/// Waits until these words can be seen.
async fn see(client: &Client, place: &str, words: &str) -> Result<()> {
    until(&format!("{words:?} can be seen"), AMPLE, || async {
        match text(client, place).await {
            Ok(text) => Seen::when(text.contains(words), text),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    })
    .await
}

/// What can be seen there.
async fn text(client: &Client, place: &str) -> Result<String> {
    let element = client.find(Locator::Css(place)).await?;
    Ok(element.text().await?)
}

async fn press(client: &Client, keys: &str) -> Result<()> {
    Ok(client.active_element().await?.send_keys(keys).await?)
}

async fn focus(client: &Client) -> Result<Value> {
    Ok(client.execute("return document.activeElement.textContent.trim()", Vec::new()).await?)
}
