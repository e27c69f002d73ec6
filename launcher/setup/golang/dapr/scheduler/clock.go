package main

import (
	"context"
	"strings"
	"time"

	schedulerv1pb "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	clockCheckEvery = time.Second
	// A smaller step than this delays a job by so little that it does no harm.
	smallStep      = time.Second
	reminderPrefix = "dapr/jobs/actorreminder||"
	separator      = "||"
	retentionType  = ".retentioner"
	timerPrefix    = "timer-"
)

// clockGuard triggers jobs at once that a clock set back has moved into the future. Dapr 1.18 makes the job that wakes
// a workflow or starts an activity due at the start of the workflow instance. An instance that started while the clock
// was ahead could not run, be signalled or be terminated until the clock reached that time again.
type clockGuard struct {
	store  *store
	client schedulerv1pb.SchedulerClient
	// Jobs may be due in the future until then, by the monotonic clock.
	until time.Time
}

// guardClock checks the clock every second. After a step back it checks the jobs for as long as the clock was ahead.
func (s *store) guardClock(port int) {
	connection, err := grpc.NewClient(loopback(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatalf("the clock guard has no connection: %s", err)
	}
	guard := &clockGuard{store: s, client: schedulerv1pb.NewSchedulerClient(connection)}
	// An earlier scheduler may have ended since the clock was set back.
	last, first := time.Now(), true
	for range time.Tick(clockCheckEvery) {
		now := time.Now()
		switch back := setBack(last, now); {
		case back > smallStep:
			log.Warnf("the clock was set back by %s", back.Round(time.Second))
			guard.extend(now.Add(back))
		case back < -smallStep:
			log.Warnf("the clock was set forward by %s", (-back).Round(time.Second))
		}
		last = now
		if !first && !now.Before(guard.until) {
			continue
		}
		if err := guard.check(); err != nil {
			log.Warnf("could not check the jobs after a change of the clock: %s", err)
			continue
		}
		first = false
	}
}

// setBack returns by how much the wall clock was set back between two times, negative if it was set forward.
func setBack(from, to time.Time) time.Duration {
	return to.Sub(from) - to.Round(0).Sub(from.Round(0))
}

func (g *clockGuard) extend(until time.Time) {
	if until.After(g.until) {
		g.until = until
	}
}

// check triggers all jobs that were meant to be due at once and are due in the future.
func (g *clockGuard) check() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	actorTypes, err := g.actorTypes(ctx)
	if err != nil {
		return err
	}
	for _, metadata := range actorTypes {
		list, err := g.client.ListJobs(ctx, &schedulerv1pb.ListJobsRequest{Metadata: metadata})
		if err != nil {
			return err
		}
		for _, job := range list.GetJobs() {
			if err := g.trigger(ctx, job); err != nil {
				return err
			}
		}
	}
	return nil
}

// trigger makes a job due now, unless it is a timer or due anyway.
func (g *clockGuard) trigger(ctx context.Context, job *schedulerv1pb.NamedJob) error {
	due, err := time.Parse(time.RFC3339Nano, job.GetJob().GetDueTime())
	wait := time.Until(due)
	if err != nil || wait <= smallStep || strings.HasPrefix(job.GetName(), timerPrefix) {
		return nil // a relative time does not depend on the clock
	}
	g.extend(time.Now().Add(wait))
	now := "0s"
	job.Job.DueTime = &now
	_, err = g.client.ScheduleJob(ctx, &schedulerv1pb.ScheduleJobRequest{
		Name: job.GetName(), Metadata: job.GetMetadata(), Job: job.GetJob(), Overwrite: true,
	})
	return err
}

// actorTypes returns the types of actors that have jobs, except those that delete old workflows.
func (g *clockGuard) actorTypes(ctx context.Context) (map[string]*schedulerv1pb.JobMetadata, error) {
	// The end of the range is the next possible prefix.
	end := reminderPrefix[:len(reminderPrefix)-1] + string(rune(reminderPrefix[len(reminderPrefix)-1]+1))
	answer, err := g.store.etcd.Server.Range(ctx, &pb.RangeRequest{
		Key: []byte(reminderPrefix), RangeEnd: []byte(end), KeysOnly: true,
	})
	if err != nil {
		return nil, err
	}
	found := map[string]*schedulerv1pb.JobMetadata{}
	for _, entry := range answer.GetKvs() {
		parts := strings.SplitN(strings.TrimPrefix(string(entry.Key), reminderPrefix), separator, 3)
		if len(parts) < 3 || strings.HasSuffix(parts[1], retentionType) {
			continue
		}
		found[parts[0]+separator+parts[1]] = &schedulerv1pb.JobMetadata{
			// The list of the jobs of an actor type does not depend on the app, which must not be empty.
			AppId:     probeApp,
			Namespace: parts[0],
			Target: &schedulerv1pb.JobTargetMetadata{
				Type: &schedulerv1pb.JobTargetMetadata_Actor{
					Actor: &schedulerv1pb.TargetActorReminder{Type: parts[1]},
				},
			},
		}
	}
	return found, nil
}
