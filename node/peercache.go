package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/store/file"
)

const (
	// peerCacheFile is in the node's folder. Status lines read it: they must answer
	// in milliseconds and ask nobody.
	peerCacheFile = "peer-cache.json"
	// cacheEvery is how often it is written in any case: readers take one that is
	// older than a minute for left behind.
	cacheEvery = 25 * time.Second
	// cacheSettle is waited after a change, since one seldom comes alone.
	cacheSettle = time.Second
)

// cached is what the cache says of one mesh. The keys of the file are slugs.
type cached struct {
	Total  int    `json:"total"`
	Online int    `json:"online"`
	At     string `json:"updatedAt"` // RFC 3339
	You    string `json:"you,omitempty"`
}

// peerCache keeps the file. The node writes it, and nobody else: it knows all meshes,
// so that no two writers must merge what each of them knows of one.
type peerCache struct {
	path  string
	ops   op.Doer
	log   *slog.Logger
	now   func() time.Time
	nudge chan struct{}
}

func newPeerCache(dir string, now func() time.Time, log *slog.Logger) *peerCache {
	return &peerCache{path: filepath.Join(dir, peerCacheFile), log: log, now: now, nudge: make(chan struct{}, 1)}
}

// changed says that somebody came, went or does something else now.
func (c *peerCache) changed() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

// run writes the file until ctx ends: now and then, and after changes that show in
// it. What cannot be written is told in the log, once for each reason.
func (c *peerCache) run(ctx context.Context) error {
	ticker := time.NewTicker(cacheEvery)
	defer ticker.Stop()
	var last map[string]cached
	said := ""
	for due := true; ; {
		now, err := c.look(ctx)
		if err == nil && (due || !same(last, now)) {
			if err = c.write(now); err == nil {
				last = now
			}
		}
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			c.log.Warn("status line cache not written", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			due = true
		case <-c.nudge:
			if err := pause(ctx, cacheSettle); err != nil {
				return err
			}
			due = false
		}
	}
}

// pause returns ctx's error when it ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// look counts the peers of each mesh.
func (c *peerCache) look(ctx context.Context) (map[string]cached, error) {
	person := op.Caller{User: true}
	who, err := presence.Whoami.Call(ctx, c.ops, person, presence.WhoamiRequest{})
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(who.Meshes))
	for _, m := range who.Meshes {
		names[m.MeshID] = m.Name
	}
	peers, err := presence.Peers.Call(ctx, c.ops, person, presence.PeersRequest{All: true})
	if err != nil {
		return nil, err
	}
	out := make(map[string]cached, len(peers.Meshes))
	for _, m := range peers.Meshes {
		one := cached{Total: len(m.Peers), You: names[m.ID], At: c.now().UTC().Format(time.RFC3339)}
		for _, p := range m.Peers {
			if p.State == "online" {
				one.Online++
			}
		}
		out[m.Mesh] = one
	}
	return out, nil
}

// same tells whether two caches differ in nothing but their time.
func same(a, b map[string]cached) bool {
	if len(a) != len(b) {
		return false
	}
	for slug, x := range a {
		y, ok := b[slug]
		if x.At = y.At; !ok || x != y {
			return false
		}
	}
	return true
}

func (c *peerCache) write(all map[string]cached) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the cache: %w", err)
	}
	return file.Write(c.path, append(text, '\n'))
}
