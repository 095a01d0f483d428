//! What works on one server works on these: sessions, takeovers across nodes, kicks, counts, scripts.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::sentinel::Sentinels;
use crate::support::{Server, Session};
use crate::truth::Store;

/// Users of the first half are taken over by the other node, one is kicked, the others stay. Answers who is left.
fn live_a_day(store: &impl Store, one: &Server, two: &Server) -> Vec<Session> {
    let mut first: Vec<Session> = (1000..1030).map(|uid| one.session(uid)).collect();
    first.iter_mut().for_each(Session::beat);
    let mut live = first.iter().map(|session| ((session.uid, session.sid().to_owned()), "t1".to_owned())).collect();
    store.wait_exact(&live, two);

    let mut stayed = first.split_off(15);
    let mut taken = first;
    let mut second: Vec<Session> = taken.iter().map(|session| two.session(session.uid)).collect();
    for (old, new) in taken.iter_mut().zip(&mut second) {
        let notice = old.client.expect(1021);
        assert_eq!((&notice["reason"], &notice["epoch"]), (&json!("displaced"), &json!(new.epoch())), "{notice}");
        old.client.expect_end();
        new.beat();
        live.remove(&(old.uid, old.sid().to_owned()));
        live.insert((new.uid, new.sid().to_owned()), "t2".to_owned());
    }
    let mut kicked = stayed.remove(0);
    assert_eq!(two.admin.kick(kicked.uid, "?note=a%20word").0, 200);
    assert_eq!(kicked.client.expect(1021)["reason"], "kicked");
    live.remove(&(kicked.uid, kicked.sid().to_owned()));
    stayed.iter_mut().for_each(Session::beat);
    store.wait_exact(&live, one);

    let seat = &one.admin.seats(second[0].uid)[0];
    assert_eq!((&seat["node"], &seat["sid"]), (&json!("t2"), &json!(second[0].sid())), "{seat}");
    assert!(one.run(&["who", &second[0].uid.to_string(), "--admin", &admin(one)]).done().contains("t2"));
    assert!(two.run(&["nodes", "--admin", &admin(two)]).done().contains("t1"));
    second.extend(stayed);
    second
}

fn admin(server: &Server) -> String {
    format!("http://{}", server.admin_address())
}

/// A new version of a script comes to both nodes, and goes again.
fn change_a_rule(one: &Server, two: &Server) {
    one.change_login(9, "-- nothing else");
    for (server, uid) in [(one, 2001), (two, 2002)] {
        let mut session = server.session(uid);
        session.beat();
        assert_eq!(server.decided_by(uid), "login@9");
    }
    two.scripts(&["rollback", "login"]).done();
    let mut session = one.session(2003);
    session.beat();
    assert_ne!(one.decided_by(2003), "login@9");
}

#[test]
fn g1_g2_g4_g9_a_day_on_a_redis_that_sentinels_watch() {
    let store = Sentinels::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let live = live_a_day(&store, &one, &two);
    assert_eq!(store.rosters(), 1);
    change_a_rule(&one, &two);
    live.into_iter().for_each(|mut session| session.beat());
}

#[test]
fn g1_g2_g4_g9_a_day_on_a_cluster_with_256_shards() {
    let store = Cluster::start();
    let (one, two) = (store.node("t1"), store.node("t2"));
    let live = live_a_day(&store, &one, &two);
    assert!(store.rosters() > 15, "users are spread over {} shards", store.rosters());
    let busy = store.primaries().into_iter().filter(|index| has_rosters(&store, *index)).count();
    assert_eq!(busy, 3, "every primary has some of them");
    change_a_rule(&one, &two);
    live.into_iter().for_each(|mut session| session.beat());
}

fn has_rosters(store: &Cluster, index: usize) -> bool {
    !store.member(index).look().texts(&["KEYS", "os:{*}:roster"]).is_empty()
}

#[test]
fn a_primary_that_forgets_its_scripts_is_given_them_again_with_the_call() {
    let store = Cluster::start();
    let one = store.node("t1");
    one.session(1000).beat();
    let forgetful = store.primary_of(&format!("os:{{{}}}:roster", 0));
    for index in store.primaries() {
        store.member(index).look().run(&["SCRIPT", "FLUSH"]);
    }
    let mut sessions: Vec<Session> = (1000..1060).map(|uid| one.session(uid)).collect();
    sessions.iter_mut().for_each(Session::beat);
    assert!(one.log().contains("redis has forgotten a script and is given it again"));
    let scripts = store.member(forgetful).info("memory", "number_of_cached_scripts");
    assert!(scripts.is_some_and(|count| count.parse::<u32>().is_ok_and(|count| count > 0)), "it keeps them again");
    assert_eq!(one.metric("oneseat_logins_total{outcome=\"seated\"}"), 61);
}
