//! One suite for every store: what the trait promises, on a SQLite file and on a real PostgreSQL.
//!
//! Each test has a database of its own. The names are the promises.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test is how a test speaks")]
mod acts;
mod given;
mod log;
mod orders;
mod reads;
mod trimming;

/// Runs each promise on both stores.
macro_rules! on_both_stores {
    ($($module:ident :: $promise:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let file = tempfile::tempdir().unwrap();
                crate::$module::$promise(crate::given::sqlite(&file).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::$module::$promise(crate::given::postgres().await).await;
            })*
        }
    };
}

on_both_stores! {
    log::offsets_follow_the_batch_without_a_hole,
    log::what_is_read_is_what_was_appended,
    log::a_known_message_id_gives_the_first_place,
    log::message_ids_are_scoped_to_owner_and_room,
    log::a_room_that_does_not_exist_takes_nothing,
    log::bans_and_membership_are_looked_at_in_the_transaction,
    log::a_late_item_is_not_committed_nor_what_stands_behind_it,
    log::a_poisonous_text_refuses_the_batch_and_commits_nothing,
    log::many_writers_make_a_dense_log_with_each_id_once,
    log::batches_over_the_same_rooms_in_any_order_all_commit,
    log::a_kick_expels_bans_and_audits_in_its_transaction,
    reads::pages_go_both_ways_within_their_limits,
    reads::a_page_ends_at_its_bytes_but_has_one_item,
    reads::ranges_answer_in_order_and_honestly,
    reads::heads_are_found_by_name_and_by_number,
    reads::a_view_tells_head_ban_and_membership,
    reads::rooms_are_listed_by_prefix_in_pages,
    acts::a_room_is_made_once,
    acts::members_come_and_go_with_an_order,
    acts::every_act_leaves_an_audit_row_refused_ones_too,
    acts::epochs_are_renewed_for_one_or_all,
    acts::an_epoch_is_renewed_only_if_the_claim_lies_above_the_head,
    orders::numbers_rise_by_one_and_survive_trimming,
    orders::an_order_is_read_as_it_was_given,
    orders::whoever_sees_a_number_can_read_all_lower_ones,
    trimming::a_log_loses_its_beginning_by_count,
    trimming::a_log_loses_its_beginning_by_age,
    trimming::a_forgotten_message_id_may_be_used_again,
}
