# Each value here gets into the log, so none of the options stands here: the
# hooks know their defaults.
export DISTRO_NAME=esxi
# diskimage-builder says so in root.d and cleanup.d only.
export TARGET_ROOT=${TARGET_ROOT:-${TMP_MOUNT_PATH:-}}
