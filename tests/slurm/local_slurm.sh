#!/usr/bin/env bash
# A Slurm cluster of one node with a GPU that is none, for tests: in a private folder, as root,
# without systemd, cgroups or a device.
#   local_slurm.sh install   Debian packages; says why not where it cannot, and ends well all the same
#   local_slurm.sh missing   what this machine lacks to start; nothing if it lacks nothing
#   local_slurm.sh start     munged, mariadbd, slurmdbd, slurmctld, slurmd, on 127.0.0.1
#   local_slurm.sh stop      end what start started
# SLURM_LOCAL names the folder, SLURM_LOCAL_GPUS the number of GPUs.
set -euo pipefail
folder=${SLURM_LOCAL:-/tmp/local_slurm}
gpus=${SLURM_LOCAL_GPUS:-1}
# slurmd counts all processors, whatever taskset allows; nproc does not.
cpus=$(getconf _NPROCESSORS_ONLN)
host=$(hostname -s)
memory=$(($(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) - 512))
# The steps of a job find their cluster here and nowhere else: the executor drops SLURM_CONF.
installed=/etc/slurm/slurm.conf
export SLURM_CONF=$folder/slurm.conf
programs=(munged mariadbd mariadb-install-db slurmdbd slurmctld slurmd sbatch sacct)

say() { echo "local_slurm: $*"; }

wait_for() { # seconds, command...
  local end=$((SECONDS + $1))
  shift
  while ((SECONDS <= end)); do
    timeout 20 "$@" > /dev/null 2>&1 && return
    sleep 0.2
  done
  say "gave up waiting for: $*"
  return 1
}

missing() {
  local lacking=()
  [[ $(id -u) == 0 ]] || lacking+=("root's rights")
  for program in "${programs[@]}"; do
    command -v "$program" > /dev/null || lacking+=("$program")
  done
  if [[ -e $installed && $(readlink "$installed") != "$SLURM_CONF" ]]; then
    lacking+=("a free $installed")
  fi
  local IFS=,
  local list=${lacking[*]}
  echo "${list//,/, }"
}

install_packages() {
  local lacking
  lacking=$(missing)
  if [[ -z $lacking ]]; then
    return
  elif [[ $(id -u) != 0 || -z $(command -v apt-get) ]]; then
    say "cannot install packages, that takes root and apt-get; lacking: $lacking"
  elif ! { apt-get update -qq && start_no_service apt-get install -y -qq --no-install-recommends \
    slurm-wlm slurmdbd munge mariadb-server; }; then
    say "apt-get failed; lacking: $(missing)"
  fi
}

# Packages start their services when they are installed, unless this file says no.
start_no_service() {
  local policy=/usr/sbin/policy-rc.d made=
  if [[ ! -e $policy ]]; then
    made=1
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
  fi
  local status=0
  DEBIAN_FRONTEND=noninteractive "$@" || status=$?
  [[ -z $made ]] || rm "$policy"
  return "$status"
}

configure() {
  mkdir -p "$folder"/{spool,state,log,run,db,dev}
  chmod 755 "$folder" "$folder"/*
  head -c 1024 /dev/urandom > "$folder/munge.key"
  chmod 600 "$folder/munge.key"
  # Requeued jobs wait until their old credentials have expired, hence cred_expire. sacct looks for
  # munge at AccountingStoragePass. Slurm wants a device for a GPU: the null device will do, and so
  # will a plain file where devices cannot be made.
  cat > "$SLURM_CONF" << CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=26817
SlurmdPort=26818
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
KillWait=30
MinJobAge=3600
SlurmctldTimeout=60
SlurmdTimeout=120
GresTypes=gpu
JobAcctGatherType=jobacct_gather/none
AccountingStorageTRES=gres/gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=26819
AccountingStoragePass=$folder/run/munge.socket
AccountingStoreFlags=job_comment
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$memory Gres=gpu:$gpus State=UNKNOWN
PartitionName=local Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  for ((i = 0; i < gpus; i++)); do
    mknod "$folder/dev/gpu$i" c 1 3 2> /dev/null || touch "$folder/dev/gpu$i"
    echo "Name=gpu File=$folder/dev/gpu$i"
  done > "$folder/gres.conf"
  cat > "$folder/slurmdbd.conf" << CONF
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.socket
CommunicationParameters=NoInAddrAny
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=26819
SlurmUser=root
LogFile=$folder/log/slurmdbd.log
PidFile=$folder/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CONF
  chmod 600 "$folder/slurmdbd.conf"
}

start() {
  local lacking run=$folder/run
  lacking=$(missing)
  [[ -z $lacking ]] || { say "lacking: $lacking"; exit 1; }
  configure
  mkdir -p "$(dirname "$installed")"
  ln -sfn "$SLURM_CONF" "$installed"
  munged --force --key-file="$folder/munge.key" --socket="$run/munge.socket" \
    --pid-file="$run/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
  wait_for 20 munge -n -S "$run/munge.socket"
  mariadb-install-db --no-defaults --user=root --datadir="$folder/db" --skip-test-db \
    --auth-root-authentication-method=normal > "$folder/log/mariadb-install.log" 2>&1
  # In a session of its own, or the end of the caller's process group is its end.
  setsid mariadbd --no-defaults --user=root --datadir="$folder/db" --skip-networking \
    --socket="$run/mysql.sock" --pid-file="$run/mariadbd.pid" --innodb-buffer-pool-size=64M \
    --log-error="$folder/log/mariadbd.log" < /dev/null > /dev/null 2>&1 &
  wait_for 120 mariadb --no-defaults -S "$run/mysql.sock" -e 'select 1'
  MYSQL_UNIX_PORT=$run/mysql.sock slurmdbd
  wait_for 120 sacctmgr -n show cluster
  sacctmgr -iQ add cluster local > /dev/null
  sacctmgr -iQ add account default Description=default Organization=local > /dev/null
  sacctmgr -iQ add user "$(id -un)" Account=default > /dev/null
  slurmctld -f "$SLURM_CONF"
  wait_for 60 scontrol ping
  slurmd -f "$SLURM_CONF" -N "$host"
  wait_for 60 bash -c "sinfo -h -o %T | grep -qx idle"
  say "up after $SECONDS s, configured in $SLURM_CONF"
}

stop() {
  local program pid file
  if [[ -s $folder/run/slurmctld.pid ]]; then
    # Jobs outlive slurmd.
    timeout 20 squeue -h -o %A | xargs -r timeout 20 scancel || true
    wait_for 60 bash -c '[[ -z $(squeue -h) ]]' || true
  fi
  for program in slurmd slurmctld slurmdbd mariadbd munged; do
    file=$folder/run/$program.pid
    [[ -s $file ]] || continue
    pid=$(< "$file")
    # Not a process of another name that has the number now.
    if [[ $(cat "/proc/$pid/comm" 2> /dev/null) == "$program" ]]; then
      kill "$pid"
      for _ in $(seq 200); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.1
      done
      kill -9 "$pid" 2> /dev/null && say "$program had to be killed"
    fi
    rm -f "$file"
  done
  [[ $(readlink "$installed") != "$SLURM_CONF" ]] || rm "$installed"
}

case ${1:-} in
  install) install_packages ;;
  missing) missing ;;
  start) start ;;
  stop) stop ;;
  *)
    sed -n '2,9s/^# \?//p' "$0"
    exit 2
    ;;
esac
