"""Faster R-CNN on MobileNetV3-large at 320 pixels, by torchvision."""

from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn

from metricloop.detector.torchvision_detector import from_torchvision

build = from_torchvision(fasterrcnn_mobilenet_v3_large_320_fpn)
