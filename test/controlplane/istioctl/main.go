// istioctl, built from the Go module proxy: the program that reads weft's debug pages over xDS in
// the test beside it. Nothing of it is weft's.
package main

import (
	"fmt"
	"os"

	"istio.io/istio/istioctl/cmd"
)

func main() {
	if err := cmd.ConfigAndEnvProcessing(); err != nil {
		fmt.Fprintf(os.Stderr, "could not initialize: %v\n", err)
		os.Exit(cmd.GetExitCode(err))
	}
	if err := cmd.GetRootCmd(os.Args[1:]).Execute(); err != nil {
		os.Exit(cmd.GetExitCode(err))
	}
}
