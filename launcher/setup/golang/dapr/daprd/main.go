// Command daprd is Dapr's sidecar with two changes for one machine: it keeps to the loopback, and it can find
// its neighbours through a file.
package main

import (
	"os"

	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/dapr/cmd/daprd/app"
	"github.com/dapr/dapr/pkg/components/nameresolution"
)

// Two copies of the system on one machine share mDNS, so each would call the other's services; a file of its own
// keeps them apart. Dapr's full build has this component, the stable one that is built here has not.
func init() {
	nameresolution.DefaultRegistry.RegisterComponent(sqlite.NewResolver, "sqlite")
}

// The Dapr CLI cannot pass these; they come first, so a flag on the command line still wins.
func main() {
	loopback := []string{
		os.Args[0],
		"--dapr-internal-grpc-listen-address=127.0.0.1",
		"--metrics-listen-address=127.0.0.1",
	}
	os.Args = append(loopback, os.Args[1:]...)
	app.Run()
}
