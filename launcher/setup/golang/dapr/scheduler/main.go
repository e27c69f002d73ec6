// Command scheduler is Dapr's scheduler for one machine. Its etcd listens on a Unix socket in the data folder instead
// of a TCP port: the stock scheduler answers etcd's JSON gateway there, without a password and to every web page.
//
// It takes the flags of the stock scheduler and works on the same data. It ends when it no longer schedules, so that
// supervision restarts it.
package main

import (
	"os"
	"path/filepath"

	"github.com/dapr/dapr/cmd/scheduler/app"
	"github.com/dapr/dapr/cmd/scheduler/options"
	"github.com/dapr/kit/logger"
)

var log = logger.NewLogger("oms.scheduler")

func main() {
	opts, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	folder, err := filepath.Abs(opts.EtcdDataDir)
	if err != nil {
		log.Fatal(err)
	}
	store, err := openStore(folder, opts)
	if err != nil {
		log.Fatalf("etcd did not start: %s", err)
	}
	go store.watch()
	go store.defragment()
	go probe(opts.Port)
	go store.guardClock(opts.Port)
	// The last of a repeated flag counts.
	os.Args = append(os.Args, "--etcd-embed=false", "--etcd-client-endpoints=unix:"+socketName)
	app.Run()
	store.close()
}
