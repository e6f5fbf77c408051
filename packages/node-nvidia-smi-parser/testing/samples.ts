// Outputs written for the tests after the layout of real ones. They make the tests independent of captures, which
// belong to others.

export const xml = (inside: string, { dtd = 'v12', driver = '550.90.07' } = {}) => `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_${dtd}.dtd">
<nvidia_smi_log>
	<timestamp>Wed Apr 29 15:19:22 2026</timestamp>
	<driver_version>${driver}</driver_version>
	<cuda_version>12.4</cuda_version>
	<attached_gpus>1</attached_gpus>
	<gpu id="00000000:31:00.0">
		<product_name>NVIDIA A &amp; B</product_name>
		<uuid>GPU-1a2b3c4d-0000-1111-2222-333344445555</uuid>
		${inside}
	</gpu>
</nvidia_smi_log>
`;

export const mig = `<mig_mode><current_mig>Enabled</current_mig><pending_mig>Enabled</pending_mig></mig_mode>
		<mig_devices>
			<mig_device><index>0</index><gpu_instance_id>7</gpu_instance_id><compute_instance_id>0</compute_instance_id>
				<device_attributes><shared><multiprocessor_count>14</multiprocessor_count></shared></device_attributes>
				<fb_memory_usage><total>9984 MiB</total><used>12 MiB</used><free>9972 MiB</free></fb_memory_usage>
			</mig_device>
		</mig_devices>
		<fb_memory_usage><total>81920 MiB</total><reserved>600 MiB</reserved><used>99 MiB</used></fb_memory_usage>
		<utilization><gpu_util>N/A</gpu_util></utilization>
		<processes><process_info><gpu_instance_id>7</gpu_instance_id><compute_instance_id>0</compute_instance_id>
			<pid>41</pid><type>C</type><process_name>python3 &lt;x&gt;</process_name><used_memory>10 MiB</used_memory>
		</process_info></processes>`;

export const text = `
==============NVSMI LOG==============

Timestamp                                 : Wed Apr 29 15:19:22 2026
Driver Version                            : 470.57.02
CUDA Version                              : 11.4

Attached GPUs                             : 2
GPU 00000000:01:00.0
    Product Name                          : Tesla V100-SXM2-16GB
    MIG Mode
        Current                           : N/A
    GPU UUID                              : GPU-aaaaaaaa-0000-1111-2222-333344445555
    Clocks Throttle Reasons
        Idle                              : Not Active
        SW Power Cap                      : Active
        HW Slowdown                       : Active
            HW Thermal Slowdown           : Active
    FB Memory Usage
        Total                             : 16160 MiB
        Used                              : 15000 MiB
        Free                              : 1160 MiB
    BAR1 Memory Usage
        Used                              : 3 MiB
    Utilization
        Gpu                               : 97 %
        Memory                            : 40 %
    Temperature
        GPU Current Temp                  : 71 C
    GPU Power Readings
        Power Draw                        : 287.10 W
        GPU Ceiling Power Limit
            Current Power Limit           : 300.00 W
    Memory Max Operating Specification    : 0 C
    Name That Fills Its Column To The End Of: 1
    Processes
        GPU instance ID                   : N/A
        Compute instance ID               : N/A
        Process ID                        : 1234
            Type                          : C
            Name                          : python3 -m serve --name=a : b
            Used GPU Memory               : 14990 MiB
GPU 00000000:02:00.0
    Product Name                          : Tesla V100-SXM2-16GB
    Utilization
        Gpu                               : GPU is lost
    Processes
        Process ID                        : 7
            Type                          : C
            Name                          : one
        Process ID                        : 8
            Type                          : G
            Name                          : two
`;

export const table = `Wed Apr 29 15:19:22 2026
+-----------------------------------------------------------------------------+
| NVIDIA-SMI 460.32.03    Driver Version: 460.32.03    CUDA Version: 11.2     |
|-------------------------------+----------------------+----------------------+
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |
|                               |                      |               MIG M. |
|===============================+======================+======================|
|   0  A100-SXM4-40GB      On   | 00000000:07:00.0 Off |                   On |
| N/A   30C    P0    46W / 400W |     25MiB / 40537MiB |     N/A      Default |
|                               |                      |              Enabled |
+-------------------------------+----------------------+----------------------+
|   1  A100-SXM4-40GB      On   | 00000000:0F:00.0 Off |                    0 |
| N/A   29C    P0    N/A /  N/A |      0MiB / 40537MiB |     62%      Default |
|                               |                      |             Disabled |
+-------------------------------+----------------------+----------------------+

+-----------------------------------------------------------------------------+
| MIG devices:                                                                |
+------------------+----------------------+-----------+-----------------------+
| GPU  GI  CI  MIG |         Memory-Usage |        Vol|         Shared        |
|      ID  ID  Dev |           BAR1-Usage | SM     Unc| CE  ENC  DEC  OFA  JPG|
|                  |                      |        ECC|                       |
|==================+======================+===========+=======================|
|  0    1   0   0  |     11MiB / 20096MiB | 42      0 |  3   0    2    0    0 |
|                  |      0MiB / 32767MiB |           |                       |
+------------------+----------------------+-----------+-----------------------+

+-----------------------------------------------------------------------------+
| Processes:                                                                  |
|  GPU   GI   CI        PID   Type   Process name                  GPU Memory |
|        ID   ID                                                   Usage      |
|=============================================================================|
|    0    1    0      48211      C   ...bin/with blank                    9MiB |
+-----------------------------------------------------------------------------+
`;
