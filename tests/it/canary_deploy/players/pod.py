"""Plays Kubernetes' Job controller and kubelet, as far as a pod of one container and ConfigMaps goes. The container is the
program itself, with the pod's arguments; its files lie in a folder of their own."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

BACKOFF_LIMIT, GRACE = 6, 30


class Job:
    def __init__(self, spec, objects, program, config=None):
        self.spec, self.objects, self.program, self.config = spec, objects, program, config

    def run(self):
        """Argo's phase by the Job's last condition (metricproviders/job), and what the last pod said."""
        pod, said = self.spec["template"]["spec"], "BackoffLimitExceeded"
        if pod.get("restartPolicy") != "Never":
            raise ValueError("restartPolicy: this player knows Never only")
        for _ in range(self.spec.get("backoffLimit", BACKOFF_LIMIT) + 1):
            code, said = self.start(pod)
            if code == 0:
                return "Successful", said
            if code is None:
                return "Failed", f"DeadlineExceeded: {said}"
        return "Failed", said

    def start(self, pod):
        """The exit code, none when it was ended for the Job's deadline, and what it wrote."""
        with tempfile.TemporaryDirectory() as folder:
            [container] = pod["containers"]
            arguments = [self.mounted(argument, container, pod, folder) for argument in container["args"]]
            environment = {"PATH": os.environ["PATH"]}
            child = subprocess.Popen([self.program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder)
            try:
                said, _ = child.communicate(timeout=self.spec.get("activeDeadlineSeconds"))
                return child.returncode, said
            except subprocess.TimeoutExpired:
                return None, end(child, pod.get("terminationGracePeriodSeconds", GRACE))

    def mounted(self, argument, container, pod, folder):
        """An argument that names a file of a volume, with the file where it lies here."""
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            if mount["mountPath"] in argument:
                here = Path(folder) / mount["name"]
                here.mkdir(exist_ok=True)
                for name, text in self.files(volumes[mount["name"]]).items():
                    (here / name).write_text(text)
                argument = argument.replace(mount["mountPath"], str(here))
        return argument

    def files(self, volume):
        for one in self.objects:
            if one["kind"] == "ConfigMap" and one["metadata"]["name"] == volume["configMap"]["name"]:
                own = Path(self.config).read_text() if self.config else None
                return {name: own or text for name, text in one["data"].items()}
        raise ValueError(f"the pod waits for a ConfigMap that is not there: {volume['configMap']['name']}")


def end(child, grace):
    child.send_signal(signal.SIGTERM)
    try:
        said, _ = child.communicate(timeout=grace)
    except subprocess.TimeoutExpired:
        child.kill()
        said, _ = child.communicate()
    return said
