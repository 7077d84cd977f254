// Package courier empties the outbox: one worker per recipient's home takes what
// is due there, in the order of acceptance, hands it to the post in batches and
// sends again until a receipt came or the time to live is used up.
// docs/delivery.md section 2 is its specification; the window of letters under
// way and its pauses are those of package delivery.
//
// The courier commits two things only: rows whose time is up expire, and rows of
// somebody who is no member any more are refused. What receipts change is
// committed by whoever reads them, who then tells the courier (Done).
package courier
