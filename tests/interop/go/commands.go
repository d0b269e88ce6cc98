// Role: reads commands, runs them and prints each one's answer.
// Invariant: every line gets exactly one answer, which repeats the line; gossip commands keep their order,
// all others run side by side. Not here: what goes over a stream (calls.go, gossip.go).

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// The longest line of input: room for the largest gossip message.
	lineMax = 2 << 20
	// Commands under way at once.
	commandsMax = 64
	pingsMax    = 100_000
)

// verb is one kind of command: how many words follow it, and what it does. `answer` names the event of success.
type verb struct {
	least, most int
	answer      string
	run         func(g *gopeer, ctx context.Context, args []string) (fields, error)
}

var verbs = map[string]verb{
	"dial":     {1, 1, "connected", (*gopeer).dial},
	"identify": {1, 1, "identified", (*gopeer).identify},
	"ping":     {2, 2, "pong", (*gopeer).ping},
	"echo":     {2, 2, "echoed", (*gopeer).echo},
	"rr":       {2, 3, "answered", (*gopeer).requests},
	"gossip":   {2, 3, "gossiped", (*gopeer).gossip},
	"close":    {1, 1, "closed", (*gopeer).closePeer},
}

// obey runs commands until `quit`, which cancels those under way, or the end of the input, which lets them finish.
func (g *gopeer) obey(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	places := make(chan struct{}, commandsMax)
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, lineMax)
	defer all.Wait()
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		if line == "" {
			continue
		}
		if line == "quit" {
			cancel()
			return nil
		}
		if strings.HasPrefix(line, "gossip ") {
			g.execute(ctx, line)
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			g.execute(ctx, line)
		})
	}
	return scanner.Err()
}

// execute runs one command and prints its answer.
func (g *gopeer) execute(ctx context.Context, line string) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	begin := time.Now()
	answer, result, err := g.dispatch(ctx, line)
	if err != nil {
		g.lines.failure(line, err)
		return
	}
	result["command"] = line
	result["ms"] = milliseconds(time.Since(begin))
	g.lines.event(answer, result)
}

func (g *gopeer) dispatch(ctx context.Context, line string) (string, fields, error) {
	// The last word of the longest command may hold spaces: it is the text of a message.
	words := strings.SplitN(line, " ", 4)
	wanted, found := verbs[words[0]]
	if !found {
		return "", nil, fmt.Errorf("there is no command %q", words[0])
	}
	args := words[1:]
	if len(args) < wanted.least || len(args) > wanted.most {
		return "", nil, fmt.Errorf("%s takes %d to %d words, not %d", words[0], wanted.least, wanted.most, len(args))
	}
	result, err := wanted.run(g, ctx, args)
	return wanted.answer, result, err
}

// dial connects to exactly the given address, whatever is known from before.
func (g *gopeer) dial(ctx context.Context, args []string) (fields, error) {
	addr, err := ma.NewMultiaddr(args[0])
	if err != nil {
		return nil, err
	}
	info, err := peer.AddrInfoFromP2pAddr(addr)
	if err != nil {
		return nil, err
	}
	net := g.host.Network()
	if net.Connectedness(info.ID) == network.Connected {
		return nil, errors.New("there is a connection to that peer already")
	}
	if s, ok := net.(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	g.host.Peerstore().ClearAddrs(info.ID)
	g.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.TempAddrTTL)
	conn, err := net.DialPeer(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	return described(conn), nil
}

// identify tells what the peer said of itself; the library asks each new connection once.
func (g *gopeer) identify(ctx context.Context, args []string) (fields, error) {
	id, err := g.connected(args[0])
	if err != nil {
		return nil, err
	}
	result, err := g.known.wait(ctx, id)
	if err != nil {
		return nil, err
	}
	addrs := make([]string, len(result.said.ListenAddrs))
	for i, addr := range result.said.ListenAddrs {
		addrs[i] = addr.String()
	}
	observed := ""
	if result.said.ObservedAddr != nil {
		observed = result.said.ObservedAddr.String()
	}
	return fields{
		"peer":      id.String(),
		"agent":     result.said.AgentVersion,
		"version":   result.said.ProtocolVersion,
		"protocols": result.said.Protocols,
		"addrs":     addrs,
		"observed":  observed,
	}, nil
}

// ping sends N pings one after the other on a single stream.
func (g *gopeer) ping(ctx context.Context, args []string) (fields, error) {
	id, err := g.connected(args[0])
	if err != nil {
		return nil, err
	}
	count, err := number(args[1], 1, pingsMax)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(network.WithNoDial(ctx, "test"))
	defer cancel()
	times := make([]float64, 0, count)
	for result := range ping.Ping(ctx, g.host, id) {
		if result.Error != nil {
			return nil, fmt.Errorf("ping %d of %d: %w", len(times)+1, count, result.Error)
		}
		times = append(times, milliseconds(result.RTT))
		if len(times) == count {
			return fields{"peer": id.String(), "rtts": times}, nil
		}
	}
	return nil, fmt.Errorf("ping %d of %d: %w", len(times)+1, count, context.Cause(ctx))
}

func (g *gopeer) closePeer(_ context.Context, args []string) (fields, error) {
	id, err := g.connected(args[0])
	if err != nil {
		return nil, err
	}
	return fields{"peer": id.String()}, g.host.Network().ClosePeer(id)
}

// connected reads a peer id and checks that there is a connection: no command but `dial` makes one.
func (g *gopeer) connected(text string) (peer.ID, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return "", err
	}
	if g.host.Network().Connectedness(id) != network.Connected {
		return "", errors.New("there is no connection to that peer")
	}
	return id, nil
}

// number reads a decimal number within bounds.
func number(text string, least, most int) (int, error) {
	found, err := strconv.Atoi(text)
	if err != nil || found < least || found > most {
		return 0, fmt.Errorf("%q is no number from %d to %d", text, least, most)
	}
	return found, nil
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
