// Role: the libp2p host: its transports, who is connected, and what each peer said in identify.
// Invariant: stock settings, but for limits of this side, which must not be what a test runs into.
// Not here: commands (commands.go) and the test protocols (calls.go, serve.go).

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	libp2pwebrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

const (
	agent = "peerloom-interop-go"
	// More identify results than any test has peers.
	identifyBuffer = 256
	closeTimeout   = 5 * time.Second
)

// gopeer is the running program.
type gopeer struct {
	host    host.Host
	pubsub  *pubsub.PubSub
	lines   *printer
	timeout time.Duration
	known   *identities
	topics  topics
}

// start makes the host, serves the test protocols and prints `ready`.
func start(ctx context.Context, opts options, lines *printer) (*gopeer, error) {
	version := 1
	if opts.webrtcV2 {
		version = 2
	}
	h, err := libp2p.New(
		libp2p.ListenAddrStrings(opts.listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Transport(websocket.New),
		libp2p.Transport(libp2pwebrtc.New, libp2pwebrtc.WithDialerVersion(version)),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.UserAgent(agent),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	g := &gopeer{host: h, lines: lines, timeout: opts.timeout, known: newIdentities()}
	if err := g.attach(ctx); err != nil {
		return nil, errors.Join(err, g.close())
	}
	addrs := make([]string, 0, len(opts.listen))
	for _, addr := range h.Addrs() {
		addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", addr, h.ID()))
	}
	lines.event("ready", fields{"id": h.ID().String(), "addrs": addrs, "dials": fmt.Sprintf("webrtc-direct v%d", version)})
	return g, nil
}

// attach puts gossipsub, the served protocols and the watchers on the host.
func (g *gopeer) attach(ctx context.Context) error {
	results := []any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerIdentificationFailed)}
	identified, err := g.host.EventBus().Subscribe(results, eventbus.BufSize(identifyBuffer))
	if err != nil {
		return fmt.Errorf("event bus: %w", err)
	}
	go g.known.watch(ctx, identified)
	g.host.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, conn network.Conn) {
			g.lines.event("peer-connected", described(conn))
		},
		DisconnectedF: func(net network.Network, conn network.Conn) {
			if net.Connectedness(conn.RemotePeer()) != network.Connected {
				g.known.forget(conn.RemotePeer())
			}
			g.lines.event("peer-disconnected", described(conn))
		},
	})
	g.serve()
	return g.startGossip(ctx)
}

func (g *gopeer) close() error {
	done := make(chan error, 1)
	go func() { done <- g.host.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeTimeout):
		return errors.New("the host did not close in time")
	}
}

// described tells what kind of connection this is.
func described(conn network.Conn) fields {
	state := conn.ConnState()
	return fields{
		"peer":      conn.RemotePeer().String(),
		"remote":    conn.RemoteMultiaddr().String(),
		"local":     conn.LocalMultiaddr().String(),
		"transport": state.Transport,
		"security":  string(state.Security),
		"muxer":     string(state.StreamMultiplexer),
		"direction": conn.Stat().Direction.String(),
	}
}

// identity is the result of identify with one peer: what it said, or why it said nothing.
type identity struct {
	said event.EvtPeerIdentificationCompleted
	err  error
}

// identities keeps the newest identify result of each connected peer.
type identities struct {
	mu      sync.Mutex
	results map[peer.ID]identity
	changed chan struct{}
}

func newIdentities() *identities {
	return &identities{results: make(map[peer.ID]identity), changed: make(chan struct{})}
}

func (k *identities) watch(ctx context.Context, sub event.Subscription) {
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case e, open := <-sub.Out():
			if !open {
				return
			}
			switch result := e.(type) {
			case event.EvtPeerIdentificationCompleted:
				k.put(result.Peer, identity{said: result})
			case event.EvtPeerIdentificationFailed:
				k.put(result.Peer, identity{err: fmt.Errorf("identify: %w", result.Reason)})
			}
		}
	}
}

func (k *identities) put(id peer.ID, result identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.results[id] = result
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *identities) forget(id peer.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.results, id)
}

// wait returns the result for a peer as soon as there is one.
func (k *identities) wait(ctx context.Context, id peer.ID) (identity, error) {
	for {
		k.mu.Lock()
		result, found := k.results[id]
		changed := k.changed
		k.mu.Unlock()
		if found {
			return result, result.err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return identity{}, fmt.Errorf("no identify result: %w", ctx.Err())
		}
	}
}
