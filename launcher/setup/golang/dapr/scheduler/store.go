package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dapr/dapr/cmd/scheduler/options"
	"github.com/dapr/dapr/pkg/security"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

const (
	// Relative to the data folder, which is the working directory: the path of a Unix socket has at most 107 bytes.
	socketName = "etcd.sock"
	// The stock scheduler removes all data of a folder that lacks this file.
	existingCluster = "dapr-scheduler-existing-cluster"
	// A name that nobody connects to: a cluster of one needs no peer port.
	peerURL      = "http://localhost:2380"
	electionMs   = 500
	startTimeout = 60 * time.Second
	callTimeout  = 5 * time.Second
	defragEvery  = 10 * time.Minute
	// etcd writes its log in files of 64 MiB, and fails where there is no room for the next.
	spaceNeeded = 80 << 20
	lookForRoom = time.Second
)

// store is the embedded etcd. The settings are those of Dapr's pkg/scheduler/server/internal/etcd.
type store struct {
	etcd *embed.Etcd
}

// openStore starts etcd on the data folder, and revokes the leases that an earlier scheduler left. Dapr's scheduler
// leads under a lease of 20 s; after a crash the next one would wait until the dead one's lease has run out.
func openStore(folder string, opts *options.Options) (*store, error) {
	syscall.Umask(0o077)
	config, err := configuration(folder, opts)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, err
	}
	// Folders of earlier versions may be open to other users, and the socket lies in this one.
	if err := os.Chmod(folder, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, existingCluster), nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Chdir(folder); err != nil {
		return nil, err
	}
	if err := awaitSpace(folder); err != nil {
		return nil, err
	}
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
	case err := <-server.Err():
		return nil, err
	case <-time.After(startTimeout):
		return nil, errors.New("not ready in time")
	}
	opened := &store{server}
	return opened, opened.revokeLeases()
}

// awaitSpace waits until the disk has room. Who ends again and again meanwhile is given up by supervision.
func awaitSpace(folder string) error {
	for told := false; ; time.Sleep(lookForRoom) {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(folder, &disk); err != nil {
			return err
		}
		if uint64(disk.Bavail)*uint64(disk.Bsize) >= spaceNeeded {
			return nil
		}
		if !told {
			log.Errorf("the disk of %s is full: waiting until %d MiB are free", folder, spaceNeeded>>20)
			told = true
		}
	}
}

func configuration(folder string, opts *options.Options) (*embed.Config, error) {
	interval, err := time.ParseDuration(opts.EtcdBackendBatchInterval)
	if err != nil {
		return nil, fmt.Errorf("--etcd-backend-batch-interval: %w", err)
	}
	peer, err := url.Parse(peerURL)
	if err != nil {
		return nil, err
	}
	config := embed.NewConfig()
	config.Name = opts.ID
	config.Dir = filepath.Join(folder, security.CurrentNamespace()+"-"+opts.ID, "dapr-0.1")
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Host: socketName}}
	config.EnableGRPCGateway = false
	config.ListenPeerUrls = nil
	config.AdvertisePeerUrls = []url.URL{*peer}
	config.InitialCluster = opts.ID + "=" + peerURL

	config.MaxRequestBytes = math.MaxInt32
	config.ExperimentalWarningApplyDuration = 5 * time.Second
	config.LogLevel = "info"
	config.QuotaBackendBytes = opts.EtcdSpaceQuota
	config.AutoCompactionMode = opts.EtcdCompactionMode
	config.AutoCompactionRetention = opts.EtcdCompactionRetention
	config.MaxSnapFiles = opts.EtcdMaxSnapshots
	config.MaxWalFiles = opts.EtcdMaxWALs
	config.SnapshotCount = opts.EtcdSnapshotCount
	config.BackendBatchLimit = opts.EtcdBackendBatchLimit
	config.BackendBatchInterval = interval
	config.MaxTxnOps = opts.EtcdMaxTxnOps
	config.ExperimentalBootstrapDefragThresholdMegabytes = opts.EtcdDefragThresholdMB
	// A cluster of one has nobody to hear from before it elects itself.
	config.InitialElectionTickAdvance = true
	config.ElectionMs = electionMs
	config.Metrics = opts.EtcdMetrics
	return config, nil
}

// revokeLeases removes every lease. Only one scheduler at a time works on the folder, and it has none yet.
func (s *store) revokeLeases() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := s.etcd.Server.LeaseLeases(ctx, &pb.LeaseLeasesRequest{})
	if err != nil {
		return fmt.Errorf("list leases: %w", err)
	}
	for _, lease := range answer.GetLeases() {
		if _, err := s.etcd.Server.LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: lease.GetID()}); err != nil {
			return fmt.Errorf("revoke a lease: %w", err)
		}
	}
	return nil
}

// watch ends the process when etcd fails.
func (s *store) watch() {
	if err, open := <-s.etcd.Err(); open && err != nil {
		log.Fatalf("etcd failed: %s", err)
	}
}

// defragment gives space back to the disk when less than half of the file is in use.
func (s *store) defragment() {
	for range time.Tick(defragEvery) {
		backend := s.etcd.Server.Backend()
		if backend.Size() < 2*backend.SizeInUse() {
			continue
		}
		if err := backend.Defrag(); err != nil {
			log.Errorf("could not defragment etcd: %s", err)
		}
	}
}

func (s *store) close() {
	s.etcd.Close()
}
