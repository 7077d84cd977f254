package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/claudemesh/claudemesh/node/feature/message"
	"github.com/claudemesh/claudemesh/node/feature/presence"
	"github.com/claudemesh/claudemesh/node/feature/state"
	"github.com/claudemesh/claudemesh/node/op"
	"github.com/claudemesh/claudemesh/node/surface/local"
	"github.com/claudemesh/claudemesh/overlay/replica"
	"github.com/claudemesh/claudemesh/store/inspect"
	"github.com/claudemesh/claudemesh/test/harness"
)

// image is what a disk kept, with a node that runs on it.
type image struct {
	home     *harness.Home
	acked    []string
	patience time.Duration // for what is held back for one before it
	took     map[string]map[string]bool
}

// check wants everything that was acknowledged, and tells all that is not there.
func (i *image) check(ctx context.Context) error {
	return errors.Join(i.hasState(ctx), i.hasSessions(ctx), i.hasRows(ctx), i.hasInbox(ctx), i.writes(ctx))
}

// last reads acknowledgements of a name and a number: the last one of the name.
func (i *image) last(mark, name string) (n int, ok bool) {
	for _, a := range marked(i.acked, mark+name+" ") {
		if _, err := fmt.Sscan(a, &n); err == nil {
			ok = true
		}
	}
	return n, ok
}

// hasState wants each write that its writer was told of, or another node has seen.
func (i *image) hasState(ctx context.Context) error {
	for _, mark := range []string{ackState, ackSeen} {
		last, ok := i.last(mark, i.home.Name)
		for n := max(0, last-6); ok && n <= last; n++ {
			got, err := stateAt(ctx, i.home, cutKey(i.home.Name, n))
			if err != nil {
				return err
			}
			if got < n {
				return fmt.Errorf("%w: %s is %d, write %d was acknowledged (%s)", errLostWrite, cutKey(i.home.Name, n), got, n, mark)
			}
		}
	}
	return nil
}

// hasSessions wants the sessions with the keys and names they had, and the status and
// group that came last, or next.
func (i *image) hasSessions(ctx context.Context) error {
	out, err := presence.Peers.Call(ctx, i.home.API(), op.Caller{}, presence.PeersRequest{All: true})
	if err != nil {
		return err
	}
	listed := map[string]presence.Peer{}
	for _, p := range out.Meshes[0].Peers {
		listed[p.Session] = p
	}
	for _, name := range cutSessions[i.home.Name] {
		keys := marked(i.acked, ackSession+name+" ")
		if len(keys) == 0 {
			continue
		}
		p, ok := listed[keys[0]]
		if !ok || p.Name != name {
			return fmt.Errorf("%w: session %s with the key %s", errLostWrite, name, keys[0])
		}
		n, ok := i.last(ackStatus, name)
		if !ok {
			continue
		}
		status, group := cutStatus(n)
		after, _ := cutStatus(n + 1)
		if p.Status != status && p.Status != after || !slices.Contains(p.Groups, "@"+group) {
			return fmt.Errorf("%w: session %s is %s in %v after change %d", errLostWrite, name, p.Status, p.Groups, n)
		}
	}
	return nil
}

// hasRows wants every message that ana's node accepted to be known to it, with those
// it is for.
func (i *image) hasRows(ctx context.Context) error {
	if i.home.Name != anaName {
		return nil
	}
	for _, id := range marked(i.acked, ackSent) {
		out, err := message.Status.Call(ctx, i.home.API(), op.Caller{}, message.StatusRequest{ID: id})
		if op.CodeOf(err) == op.NotFound {
			return fmt.Errorf("%w: %s was accepted, and is not known", errLostMessage, id)
		}
		if err != nil {
			return err
		}
		if len(out.Recipients) == 0 {
			return fmt.Errorf("%w: nobody is to get %s", errLostMessage, id)
		}
	}
	return nil
}

// want is what readers must have, and any of which readers.
func (i *image) want() (each map[string][]string, any map[string][]string) {
	mark := map[string]string{anaName: ackSent, boName: ackDelivered}[i.home.Name]
	each, any = map[string][]string{}, map[string][]string{}
	ids := cutIDs()
	for _, id := range marked(i.acked, mark) {
		_, at := cutTarget(slices.Index(ids, id))
		readers := at[i.home.Name]
		if len(readers) > 0 && readers[0] == "any" {
			any[id] = readers[1:]
			continue
		}
		for _, r := range readers {
			each[r] = append(each[r], id)
		}
	}
	return each, any
}

// hasInbox wants each message of which ana has a receipt to be in the inbox of those at
// bo's whom it is for, if it was not shown before; that of those at ana's own from the
// moment it was accepted. What was shown is not to be shown as new.
func (i *image) hasInbox(ctx context.Context) error {
	readers := map[string]*local.Client{terminal: i.home.API()}
	for _, name := range cutSessions[i.home.Name] {
		if len(marked(i.acked, ackSession+name+" ")) == 0 && len(marked(i.acked, ackSent)) == 0 {
			return nil // before the first message
		}
		client, _, err := openSession(ctx, i.home, name)
		if err != nil {
			return err
		}
		readers[name] = client
	}
	before := map[string]bool{}
	for _, a := range marked(i.acked, ackShown+i.home.Name+"/") {
		before[a] = true
		reader, id, _ := strings.Cut(a, " ")
		i.take(reader, id)
	}
	// One whose predecessor never came is held back for a while.
	until := time.Now().Add(i.patience)
	return harness.Until(ctx, func() (bool, any, error) {
		more := 0
		for reader, client := range readers {
			out, err := message.Check.Call(ctx, client, op.Caller{}, message.CheckRequest{Again: true, Limit: 500})
			if err != nil {
				return false, nil, err
			}
			more += out.More
			for _, m := range out.Messages {
				if !m.AgainOffered && before[reader+" "+m.ID] {
					return false, nil, fmt.Errorf("%s was shown to %s before and is shown as new", m.ID, reader)
				}
				i.take(reader, m.ID)
			}
		}
		missing := i.missing()
		if len(missing) > 0 && more == 0 && !time.Now().Before(until) {
			return false, nil, fmt.Errorf("%w: %d messages were delivered and are not in the inbox, %s is one", errLostMessage, len(missing), missing[0])
		}
		return len(missing) == 0, len(missing), nil
	})
}

func (i *image) take(reader, id string) {
	if i.took[reader] == nil {
		i.took[reader] = map[string]bool{}
	}
	i.took[reader][id] = true
}

func (i *image) missing() (out []string) {
	each, any := i.want()
	for reader, ids := range each {
		for _, id := range ids {
			if !i.took[reader][id] {
				out = append(out, id+" of "+reader)
			}
		}
	}
	for id, readers := range any {
		if !slices.ContainsFunc(readers, func(r string) bool { return i.took[r][id] }) {
			out = append(out, id)
		}
	}
	return out
}

// writes wants the node to write on.
func (i *image) writes(ctx context.Context) error {
	_, err := state.Set.Call(ctx, i.home.API(), op.Caller{}, state.SetRequest{Key: "after", Value: []byte("1")})
	return err
}

// logs are the records in a store: how far each log goes, and which records there are,
// both by log or by log and number.
type logs struct {
	last    map[string]uint64
	records map[string]replica.Sum
}

// logsIn reads the records from the store of a node that does not run. A store that
// was not made yet has none.
func logsIn(folder string) (out logs, err error) {
	out = logs{map[string]uint64{}, map[string]replica.Sum{}}
	path := filepath.Join(folder, "node.db")
	if err := sound(path); err != nil {
		return out, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: 20 * time.Second})
	if err != nil {
		return out, fmt.Errorf("the store cannot be opened: %w", err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error { return out.read(b) })
	})
	return out, errors.Join(err, db.Close())
}

// sound refuses a damaged file before bbolt reads it, which could go round in it for ever.
func sound(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return inspect.File(f, info.Size())
}

// read takes all records in a bucket and those below it: wherever a value is a record
// under its own number.
func (l logs) read(b *bolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return l.read(b.Bucket(k))
		}
		r, err := replica.Parse(v)
		if err != nil || !bytes.HasPrefix(k, r.Log.Author[:]) {
			return nil // something else
		}
		log := fmt.Sprintf("%s/%d", r.Log.Author, r.Log.Inc)
		l.last[log] = max(l.last[log], r.N)
		l.records[fmt.Sprintf("%s/%d", log, r.N)] = r.Hash()
		return nil
	})
}

// goesOn wants the logs in a folder to go on where they were: no number that was given
// to a record before is now that of another.
func goesOn(before logs, folder string) error {
	after, err := logsIn(folder)
	if err != nil {
		return err
	}
	if len(after.records) == 0 {
		return errors.New("no record was written")
	}
	for at, hash := range after.records {
		log := at[:strings.LastIndex(at, "/")]
		var n uint64
		if _, err := fmt.Sscan(at[len(log)+1:], &n); err != nil {
			return err
		}
		was, known := before.records[at]
		if known && was != hash || !known && n <= before.last[log] {
			return fmt.Errorf("the number of record %s was used again: the log was at %d", at, before.last[log])
		}
	}
	return nil
}
