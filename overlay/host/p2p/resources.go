package p2p

import (
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

// StreamLimit is how many streams of a protocol one peer and all peers may have, in each direction.
type StreamLimit struct{ PerPeer, All int }

// resources builds libp2p's resource manager: its defaults, scaled to the machine (an eighth of the
// memory, between 128 MiB and 1 GiB, and half of the file descriptors; 256 streams of one peer), with
// limits for our own protocols and for connections per remote address. On the smallest machine there
// is room for 256 connections each way, 512 in all, and 128 each way that are still being set up.
func resources(c Config) (network.ResourceManager, error) {
	cfg := rcmgr.DefaultLimits
	cfg.SystemBaseLimit.ConnsInbound, cfg.SystemBaseLimit.ConnsOutbound, cfg.SystemBaseLimit.Conns = 256, 256, 512
	cfg.SystemBaseLimit.StreamsInbound, cfg.SystemBaseLimit.StreamsOutbound, cfg.SystemBaseLimit.Streams = 4096, 4096, 8192
	cfg.SystemBaseLimit.FD = 512
	cfg.TransientBaseLimit.ConnsInbound, cfg.TransientBaseLimit.ConnsOutbound, cfg.TransientBaseLimit.Conns = 128, 128, 192
	libp2p.SetDefaultServiceLimits(&cfg)
	for id, l := range c.Streams {
		limitProto(&cfg, id, l)
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(cfg.AutoScale()),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: c.ConnsPerAddress}},
			[]rcmgr.ConnLimitPerSubnet{
				{PrefixLength: 64, ConnCount: c.ConnsPerAddress},
				{PrefixLength: 48, ConnCount: 8 * c.ConnsPerAddress},
			}),
		rcmgr.WithMetricsDisabled())
}

func limitProto(cfg *rcmgr.ScalingLimitConfig, id protocol.ID, l StreamLimit) {
	limit := func(n int) rcmgr.BaseLimit {
		return rcmgr.BaseLimit{StreamsInbound: n, StreamsOutbound: n, Streams: 2 * n, Memory: 256 << 20}
	}
	cfg.AddProtocolLimit(id, limit(l.All), rcmgr.BaseLimitIncrease{})
	cfg.AddProtocolPeerLimit(id, limit(l.PerPeer), rcmgr.BaseLimitIncrease{})
}
