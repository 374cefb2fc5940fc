// istiod's discovery server from the published Go module, with its configuration in files: the peer of
// weft's control plane. `pilot-discovery` itself no longer starts without a Kubernetes API (its
// ServiceEntry controller asks for the namespaces of a cluster), so it is given the empty cluster of
// Istio's own tests.
// The flags are pilot-discovery's.
package main

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"unsafe"

	"istio.io/istio/pilot/pkg/bootstrap"
	"istio.io/istio/pkg/cmd"
	"istio.io/istio/pkg/ctrlz"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "istiod:", err)
		os.Exit(1)
	}
}

func run() error {
	meshConfig := flag.String("meshConfig", "", "mesh configuration, with its sources")
	grpcAddr := flag.String("grpcAddr", "127.0.0.1:15010", "discovery, plain text")
	httpAddr := flag.String("httpAddr", "127.0.0.1:8080", "readiness and debug pages")
	flag.Parse()

	options := log.DefaultOptions()
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.WarnLevel)
	if err := log.Configure(options); err != nil {
		return err
	}
	args := bootstrap.NewPilotArgs(func(args *bootstrap.PilotArgs) {
		args.Namespace = bootstrap.PodNamespace
		args.MeshConfigFile = *meshConfig
		args.CtrlZOptions = ctrlz.DefaultOptions()
		args.CtrlZOptions.Port = 0
		args.RegistryOptions.KubeOptions.DomainSuffix = "cluster.local"
		args.ServerOptions.GRPCAddr = *grpcAddr
		args.ServerOptions.HTTPAddr = *httpAddr
	})
	server, err := bootstrap.NewServer(args, setEmptyCluster)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	if err := server.Start(stop); err != nil {
		return err
	}
	cmd.WaitSignal(stop)
	server.WaitUntilCompletion()
	return nil
}

// setEmptyCluster fills a field that only istiod's own package can reach.
func setEmptyCluster(server *bootstrap.Server) {
	field := reflect.ValueOf(server).Elem().FieldByName("kubeClient")
	client := kube.NewFakeClient()
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(client))
}
