# What our scripts see of Vivado: tclsh vivado_stand_in.tcl SCRIPT, in the script's folder.
#
# A command that is not here is an error, as is a file that is not there, a cell or pin that the block design does
# not have (pins as in AMD's PG021, PG082, PG164, PG201 and PG247), two drivers, and a pin left open.

set pins(axi_dma) {
    bus S_AXI_LITE bus M_AXI_MM2S bus M_AXI_S2MM bus M_AXIS_MM2S bus S_AXIS_S2MM
    net s_axi_lite_aclk net m_axi_mm2s_aclk net m_axi_s2mm_aclk net axi_resetn
}
set pins(processing_system7) {
    bus M_AXI_GP0 bus S_AXI_HP0 net M_AXI_GP0_ACLK net S_AXI_HP0_ACLK out FCLK_CLK0 out FCLK_RESET0_N
}
set pins(zynq_ultra_ps_e) {
    bus M_AXI_HPM0_FPD bus S_AXI_HP0_FPD net maxihpm0_fpd_aclk net saxihp0_fpd_aclk out pl_clk0 out pl_resetn0
}
set pins(proc_sys_reset) {net slowest_sync_clk net ext_reset_in out peripheral_aresetn}
set pins(smartconnect) {net aclk net aresetn}
set pins(network_axis) {bus s_axis bus m_axis net aclk net aresetn}

proc stop {why} { puts stderr "stand-in: $why"; exit 1 }
proc option {name given} { return [lindex $given [expr {[lsearch -exact $given $name] + 1}]] }
proc there {files} { foreach file $files { if {![file exists $file]} { stop "no file $file" } } }

proc add_pins {cell kind} {
    if {![info exists ::pins($kind)]} { stop "no IP called $kind" }
    foreach {sort pin} $::pins($kind) { set ::open($cell/$pin) $sort }
}
proc pin {name sorts} {
    if {![info exists ::open($name)] || $::open($name) ni $sorts} { stop "no pin $name to connect ($sorts)" }
    return $name
}

# Projects and files.
proc create_project {args} { file mkdir [lindex $args 2] }
proc add_files {args} { there [lindex $args end] }
proc read_verilog {args} { there [lindex $args end] }
proc read_mem {files} { there $files }
proc read_xdc {file} { uplevel #0 [list source $file] }
proc get_files {name} { if {![string match *.bd $name]} { there $name }; return $name }
proc update_compile_order {args} {}
proc current_fileset {} { return sources_1 }

# Block designs.
proc create_bd_design {name} { set ::bd $name }
proc get_ipdefs {pattern} { return [string map {* 1.0} $pattern] }
proc create_bd_cell {args} {
    set cell [lindex $args end]
    set ip [lindex [split [option -vlnv $args] :] 2]
    add_pins $cell [expr {[option -type $args] eq "ip" ? $ip : [option -reference $args]}]
    set ::cells($cell) 1
    return $cell
}
proc get_bd_cells {name} { if {![info exists ::cells($name)]} { stop "no cell $name" }; return $name }
proc get_bd_pins {name} { return [pin $name {net out}] }
proc get_bd_intf_pins {name} { return [pin $name bus] }
proc apply_bd_automation {args} {}
proc set_property {args} {
    foreach {name value} [option -dict $args] {
        foreach {count direction} {NUM_SI S NUM_MI M} {
            if {$name ne "CONFIG.$count"} continue
            for {set i 0} {$i < $value} {incr i} { set ::open([lindex $args end]/${direction}0${i}_AXI) bus }
        }
    }
    puts "set_property $args"
}
proc connect_bd_net {from to} {
    if {$::open($from) ne "out"} { stop "$from drives nothing" }
    unset ::open([pin $to net])
    puts "net $from $to"
}
proc connect_bd_intf_net {from to} { unset ::open($from) ::open($to); puts "bus $from $to" }
proc assign_bd_address {} {}
proc validate_bd_design {} {
    foreach {name sort} [array get ::open] { if {$sort ne "out"} { stop "$name is left open" } }
}
proc save_bd_design {} {}
proc make_wrapper {args} { close [open $::bd/wrapper.v w]; return $::bd/wrapper.v }

# Runs: WNS_NS is the slack that the build comes to.
proc launch_runs {args} {
    foreach file [list $::bd.runs/impl_1/${::bd}_wrapper.bit $::bd.gen/sources_1/bd/$::bd/hw_handoff/$::bd.hwh] {
        file mkdir [file dirname $::bd/$file]
        close [open $::bd/$file w]
    }
}
proc wait_on_run {name} {}
proc get_runs {name} { return $name }
proc get_property {name of} {
    switch $name {
        VLNV { return $of }
        PROGRESS { return 100% }
        STATS.WNS { return $::env(WNS_NS) }
        default { stop "no property $name" }
    }
}

# Without a block design.
proc get_ports {name} { return $name }
proc create_clock {args} { puts "create_clock $args" }
proc synth_design {args} { puts "synth_design $args" }
foreach step {opt_design place_design route_design report_utilization report_timing_summary write_checkpoint} {
    proc $step {args} {}
}

source [lindex $argv 0]
