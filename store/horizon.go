package store

import "sync"

// horizon is the newest bbolt transaction known to be on disk, or the reason
// why no more will be. bbolt lets readers see a transaction before that.
type horizon struct {
	mu     sync.Mutex // guards what follows
	moved  sync.Cond  // of mu
	synced int
	err    error
}

func (h *horizon) init(synced int) {
	h.moved.L = &h.mu
	h.synced = synced
}

// wait returns when transaction txid is on disk, or with the failure.
func (h *horizon) wait(txid int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.err == nil && h.synced < txid {
		h.moved.Wait()
	}
	return h.err
}

func (h *horizon) advance(txid int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.synced = txid
	h.moved.Broadcast()
}

// fail keeps the first failure.
func (h *horizon) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
	h.moved.Broadcast()
}

func (h *horizon) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}
