package replica

import (
	"fmt"
	"sync"
	"testing"

	"github.com/claudemesh/claudemesh/overlay/wire"
)

// Replicas write, exchange with several at once and hear news, all at the same time.
func TestAllAtOnce(t *testing.T) {
	ps, _ := nodes(t, 4)
	var wg sync.WaitGroup
	for i, p := range ps {
		news := make(chan []byte, 100)
		wg.Go(func() {
			defer close(news)
			for k := range 30 {
				err := p.disk.Update(bg, func(tx Tx) error {
					r, err := p.Append(tx, p.key, Write{Slot: slotOf(k % 7), Clock: Clock(k + 1), Seal: func(Header) ([]byte, error) {
						return fmt.Appendf(nil, "%d", k), nil
					}})
					if err == nil {
						news <- r.Raw()
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for raw := range news {
				if v, _, err := ps[(i+2)%4].News(bg, raw); v == Reject || err != nil {
					t.Errorf("news: %v, %v", v, err)
				}
			}
		})
		for range 3 {
			x, y := streams(-1, -1)
			for _, side := range []struct {
				r      *Replica
				end    duplex
				opener bool
			}{{p.Replica, x, true}, {ps[(i+1)%4].Replica, y, false}} {
				wg.Go(func() {
					_, err := side.r.Exchange(bg, wire.NewConn(side.end), side.opener)
					side.end.shut()
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	wg.Wait()
	for range 2 {
		for i := range ps {
			between(t, ps[i].Replica, ps[(i+1)%4].Replica)
		}
	}
	alike(t, ps...)
}
