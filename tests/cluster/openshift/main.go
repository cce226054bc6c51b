// An aggregated API server for the tests: image.openshift.io/v1 behind a real kube-apiserver, which authenticates and
// authorizes its callers. It stores in etcd, and pages, watches, patches and applies as every API server of Kubernetes does,
// because it is made of the same library.
package main

import (
	"os"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
)

func main() {
	context := genericapiserver.SetupSignalContext()
	options := newOptions()
	command := &cobra.Command{
		Use:   "openshift",
		Short: "Serve image.openshift.io/v1",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			server, err := newServer(options)
			if err != nil {
				return err
			}
			return server.PrepareRun().RunWithContext(context)
		},
	}
	options.AddFlags(command.Flags())
	os.Exit(cli.Run(command))
}
