package main

import (
	"context"
	"fmt"
	"time"

	schedulerv1pb "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	probeApp   = "oms-scheduler-probe"
	probeEvery = 5 * time.Second
	retryAfter = time.Second
	// For the scheduler to take the job, and then to trigger it.
	takeTimeout    = 2 * time.Second
	triggerTimeout = 3 * time.Second
	// In a row; that is 15 s at most.
	missesAllowed = 3
	// At its start the scheduler may have many jobs to read first.
	missesAllowedAtStart = 10
)

// probe schedules a job every few seconds, as a sidecar does, and ends the process when several in a row are not
// triggered. The health check of Dapr 1.18 stays good when the scheduler has lost its leadership and triggers nothing.
func probe(port int) {
	connection, err := grpc.NewClient(loopback(port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatalf("the probe has no connection: %s", err)
	}
	client := schedulerv1pb.NewSchedulerClient(connection)
	triggered := make(chan struct{}, 1)
	go takeJobs(client, triggered)
	missed, allowed := 0, missesAllowedAtStart
	for missed < allowed {
		scheduleJob(client)
		select {
		case <-triggered:
			missed, allowed = 0, missesAllowed
			time.Sleep(probeEvery)
		case <-time.After(triggerTimeout):
			missed++
		}
	}
	log.Fatalf("the scheduler triggers no jobs any more: %d in a row did not come", missed)
}

// loopback returns the address of this scheduler's API.
func loopback(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// takeJobs takes the jobs that the scheduler triggers, and connects again when the stream ends.
func takeJobs(client schedulerv1pb.SchedulerClient, triggered chan<- struct{}) {
	for ; ; time.Sleep(retryAfter) {
		stream, err := client.WatchJobs(context.Background())
		if err != nil || stream.Send(subscription()) != nil {
			continue
		}
		for job, err := stream.Recv(); err == nil; job, err = stream.Recv() {
			if stream.Send(result(job.GetId())) != nil {
				break
			}
			select {
			case triggered <- struct{}{}:
			default:
			}
		}
	}
}

// scheduleJob schedules a job that is due at once. A failure shows in that the job is not triggered.
func scheduleJob(client schedulerv1pb.SchedulerClient) {
	ctx, cancel := context.WithTimeout(context.Background(), takeTimeout)
	defer cancel()
	now := "0s"
	_, err := client.ScheduleJob(ctx, &schedulerv1pb.ScheduleJobRequest{
		Name:      "probe",
		Overwrite: true,
		Job:       &schedulerv1pb.Job{DueTime: &now},
		Metadata: &schedulerv1pb.JobMetadata{
			AppId:     probeApp,
			Namespace: probeApp,
			Target: &schedulerv1pb.JobTargetMetadata{
				Type: &schedulerv1pb.JobTargetMetadata_Job{Job: &schedulerv1pb.TargetJob{}},
			},
		},
	})
	if err != nil {
		log.Warnf("the probe's job was not taken: %s", err)
	}
}

func subscription() *schedulerv1pb.WatchJobsRequest {
	return &schedulerv1pb.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1pb.WatchJobsRequest_Initial{
			Initial: &schedulerv1pb.WatchJobsRequestInitial{
				AppId:          probeApp,
				Namespace:      probeApp,
				AcceptJobTypes: []schedulerv1pb.JobTargetType{schedulerv1pb.JobTargetType_JOB_TARGET_TYPE_JOB},
			},
		},
	}
}

func result(id uint64) *schedulerv1pb.WatchJobsRequest {
	return &schedulerv1pb.WatchJobsRequest{
		WatchJobRequestType: &schedulerv1pb.WatchJobsRequest_Result{
			Result: &schedulerv1pb.WatchJobsRequestResult{Id: id},
		},
	}
}
