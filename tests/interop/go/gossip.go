// Role: gossipsub: joining topics, publishing, and printing what others publish.
// Invariant: every message is signed and checked (StrictSign); own messages are not printed.
// Not here: how commands are read (commands.go).

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"unicode/utf8"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
)

// Room for a test's whole burst: a message dropped on this side would look like one lost by the other.
const gossipQueue = 4_096

// topics are those joined. Only gossip commands touch them, and these run one at a time.
type topics map[string]*pubsub.Topic

func (g *gopeer) startGossip(ctx context.Context) error {
	ps, err := pubsub.NewGossipSub(ctx, g.host,
		pubsub.WithMessageSignaturePolicy(pubsub.StrictSign),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithValidateQueueSize(gossipQueue),
	)
	if err != nil {
		return fmt.Errorf("gossipsub: %w", err)
	}
	g.pubsub = ps
	g.topics = make(topics)
	return nil
}

// gossip is `gossip join TOPIC` or `gossip send TOPIC TEXT`.
func (g *gopeer) gossip(ctx context.Context, args []string) (fields, error) {
	name := args[1]
	switch {
	case args[0] == "join" && len(args) == 2:
		return fields{"topic": name}, g.join(name)
	case args[0] == "send" && len(args) == 3:
		topic, joined := g.topics[name]
		if !joined {
			return nil, fmt.Errorf("topic %q is not joined", name)
		}
		return fields{"topic": name}, topic.Publish(ctx, []byte(args[2]))
	default:
		return nil, fmt.Errorf("neither `gossip join TOPIC` nor `gossip send TOPIC TEXT`")
	}
}

// join subscribes, and prints messages and neighbours of the topic from then on.
func (g *gopeer) join(name string) error {
	if _, joined := g.topics[name]; joined {
		return fmt.Errorf("topic %q is joined already", name)
	}
	topic, err := g.pubsub.Join(name)
	if err != nil {
		return err
	}
	neighbours, err := topic.EventHandler()
	if err != nil {
		return err
	}
	messages, err := topic.Subscribe(pubsub.WithBufferSize(gossipQueue))
	if err != nil {
		return err
	}
	g.topics[name] = topic
	// Both loops end when gossipsub does: then Next fails.
	go g.printMessages(messages)
	go g.printNeighbours(name, neighbours)
	return nil
}

func (g *gopeer) printMessages(messages *pubsub.Subscription) {
	for {
		message, err := messages.Next(context.Background())
		if err != nil {
			return
		}
		if message.GetFrom() == g.host.ID() {
			continue
		}
		event := fields{"topic": message.GetTopic(), "from": message.GetFrom().String(), "via": message.ReceivedFrom.String()}
		if utf8.Valid(message.Data) {
			event["data"] = string(message.Data)
		} else {
			event["hex"] = hex.EncodeToString(message.Data)
		}
		g.lines.event("gossip", event)
	}
}

// printNeighbours prints which connected peers are subscribed: before one is, a message reaches nobody.
func (g *gopeer) printNeighbours(topic string, neighbours *pubsub.TopicEventHandler) {
	for {
		change, err := neighbours.NextPeerEvent(context.Background())
		if err != nil {
			return
		}
		joined := change.Type == pubsub.PeerJoin
		g.lines.event("gossip-peer", fields{"topic": topic, "peer": change.Peer.String(), "joined": joined})
	}
}
