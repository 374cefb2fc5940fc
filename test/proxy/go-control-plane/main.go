// A control plane made of go-control-plane alone. It prints its port, then reads snapshots from its
// standard input, one a line, and serves the newest one until the input ends. What its clients say
// of it goes to the standard output, one JSON object a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// snapshot is all that one node is told; the resources are Envoy's JSON.
type snapshot struct {
	Node      string
	Version   string
	Clusters  []json.RawMessage
	Endpoints []json.RawMessage
	Listeners []json.RawMessage
	Routes    []json.RawMessage
}

// heard is one request of a client.
type heard struct {
	Type    string `json:"type"`
	Version string `json:"version"`
	Refusal string `json:"refusal"`
}

func decode(bodies []json.RawMessage, message proto.Message) ([]types.Resource, error) {
	resources := []types.Resource{}
	for _, body := range bodies {
		one := message.ProtoReflect().New().Interface()
		if err := protojson.Unmarshal(body, one); err != nil {
			return nil, err
		}
		resources = append(resources, one)
	}
	return resources, nil
}

func (s snapshot) build() (*cache.Snapshot, error) {
	kinds := []struct {
		name    resource.Type
		bodies  []json.RawMessage
		message proto.Message
	}{
		{resource.ClusterType, s.Clusters, &cluster.Cluster{}},
		{resource.EndpointType, s.Endpoints, &endpoint.ClusterLoadAssignment{}},
		{resource.ListenerType, s.Listeners, &listener.Listener{}},
		{resource.RouteType, s.Routes, &route.RouteConfiguration{}},
	}
	all := map[resource.Type][]types.Resource{}
	for _, kind := range kinds {
		resources, err := decode(kind.bodies, kind.message)
		if err != nil {
			return nil, err
		}
		all[kind.name] = resources
	}
	return cache.NewSnapshot(s.Version, all)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx := context.Background()
	out := json.NewEncoder(os.Stdout)
	snapshots := cache.NewSnapshotCache(true, cache.IDHash{}, nil)
	service := server.NewServer(ctx, snapshots, server.CallbackFuncs{
		StreamRequestFunc: func(_ int64, request *discovery.DiscoveryRequest) error {
			refusal := request.GetErrorDetail().GetMessage()
			return out.Encode(heard{request.GetTypeUrl(), request.GetVersionInfo(), refusal})
		},
		// In delta an answer has no version; what it answers has its nonce.
		StreamDeltaRequestFunc: func(_ int64, request *discovery.DeltaDiscoveryRequest) error {
			refusal := request.GetErrorDetail().GetMessage()
			return out.Encode(heard{request.GetTypeUrl(), request.GetResponseNonce(), refusal})
		},
	})
	grpcServer := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, service)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(socket.Addr().(*net.TCPAddr).Port)
	go grpcServer.Serve(socket)
	defer grpcServer.Stop()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var next snapshot
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		built, err := next.build()
		if err != nil {
			return err
		}
		if err := built.Consistent(); err != nil {
			return err
		}
		if err := snapshots.SetSnapshot(ctx, next.Node, built); err != nil {
			return err
		}
	}
	return lines.Err()
}
